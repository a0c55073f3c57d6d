/** What stands in place of the page while credentials are needed. */
import { useId, useState, type FormEvent, type ReactNode } from "react";
import { reason } from "../../api/http";
import { signIn } from "../../api/session";
import { Panel } from "../../components/Panel";
import { Button, Segmented } from "../../components/controls";

function Field({ label, value, type = "text", complete, onChange }: { readonly label: string; readonly value: string; readonly type?: string; readonly complete: string; readonly onChange: (value: string) => void }): ReactNode {
  const id = useId();
  return (
    <span className="field">
      <label htmlFor={id} className="field-label">
        {label}
      </label>
      <input id={id} className="input" type={type} value={value} autoComplete={complete} required onChange={(event) => onChange(event.target.value)} />
    </span>
  );
}

export function SignIn(): ReactNode {
  const [by, setBy] = useState<"password" | "key">("password");
  const [name, setName] = useState("");
  const [secret, setSecret] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await signIn(by === "key" ? { key: secret } : { name, password: secret });
    } catch (error) {
      setProblem(reason(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="sign-in">
      <Panel title="Sign in">
        <form className="stack" onSubmit={(event) => void submit(event)}>
          <Segmented
            label="Sign in with"
            value={by}
            onChange={(value) => {
              setBy(value);
              setSecret("");
            }}
            options={[
              { value: "password", label: "Name and password" },
              { value: "key", label: "API key" },
            ]}
          />
          {by === "password" ? <Field label="Name" value={name} complete="username" onChange={setName} /> : null}
          <Field label={by === "password" ? "Password" : "API key"} value={secret} type="password" complete={by === "password" ? "current-password" : "off"} onChange={setSecret} />
          {problem ? (
            <p className="field-problem" role="alert">
              {problem}
            </p>
          ) : null}
          <div className="row">
            <Button type="submit" kind="primary" busy={busy}>
              Sign in
            </Button>
            <span className="muted">hms users create, hms keys create</span>
          </div>
        </form>
      </Panel>
    </div>
  );
}
