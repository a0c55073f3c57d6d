import { useId, type ButtonHTMLAttributes, type ReactNode } from "react";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly kind?: "primary" | "plain" | "quiet" | "danger";
  readonly busy?: boolean;
}

export function Button({ kind = "plain", busy = false, className = "", children, ...rest }: ButtonProps): ReactNode {
  return (
    <button type="button" {...rest} className={`button button-${kind} ${className}`} aria-busy={busy || undefined} disabled={rest.disabled || busy}>
      {children}
    </button>
  );
}

export interface Option<T extends string = string> {
  readonly value: T;
  readonly label: string;
  readonly title?: string;
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: readonly Option<T>[];
  readonly onChange: (value: T) => void;
  readonly hideLabel?: boolean;
  readonly disabled?: boolean;
}

export function Select<T extends string>({ label, value, options, onChange, hideLabel = false, disabled = false }: ChoiceProps<T>): ReactNode {
  const id = useId();
  const listed = options.some((option) => option.value === value);
  return (
    <span className="field">
      <label htmlFor={id} className={hideLabel ? "visually-hidden" : "field-label"}>
        {label}
      </label>
      <select id={id} className="select" value={value} disabled={disabled} onChange={(event) => onChange(event.target.value as T)}>
        {listed ? null : <option value={value}>{value || "choose…"}</option>}
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </span>
  );
}

/** A few choices side by side; arrow keys move between them. */
export function Segmented<T extends string>({ label, value, options, onChange, hideLabel = true, disabled = false }: ChoiceProps<T>): ReactNode {
  const name = useId();
  return (
    <fieldset className="segmented" disabled={disabled}>
      <legend className={hideLabel ? "visually-hidden" : "field-label"}>{label}</legend>
      {options.map((option) => (
        <label key={option.value} title={option.title} className="segment">
          <input type="radio" name={name} value={option.value} checked={option.value === value} onChange={() => onChange(option.value)} />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface NumberProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly placeholder?: string;
  readonly hint?: ReactNode;
  readonly min?: number;
  readonly step?: number | "any";
  readonly problem?: string | null;
  readonly disabled?: boolean;
}

export function NumberField({ label, value, onChange, placeholder, hint, min, step = "any", problem, disabled = false }: NumberProps): ReactNode {
  const id = useId();
  return (
    <span className="field">
      <label htmlFor={id} className="field-label">
        {label}
        {hint}
      </label>
      <input
        id={id}
        className="input"
        type="number"
        inputMode="decimal"
        value={value}
        min={min}
        step={step}
        disabled={disabled}
        placeholder={placeholder}
        aria-invalid={problem ? true : undefined}
        aria-describedby={problem ? `${id}-problem` : undefined}
        onChange={(event) => onChange(event.target.value)}
      />
      {problem ? (
        <span id={`${id}-problem`} className="field-problem">
          {problem}
        </span>
      ) : null}
    </span>
  );
}
