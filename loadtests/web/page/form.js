// The form: only the fields that matter for the scenario and the lengths chosen; every value is checked by the server.
import { byId, el } from "./dom.js";

export class SettingsForm {
  // form: as /llm/form.json has it. onChange: called after every change, also while typing.
  constructor(form, onChange) {
    this.form = form;
    this.onChange = onChange;
    this.scenario = form.scenario;
    this.fields = new Map(form.fields.map((field) => [field.name, field]));
    this.values = new Map(form.fields.map((field) => [field.name, field.value]));
    this.values.set("host", form.host);
    this.fields.set("host", {
      name: "host", label: "Target", kind: "text", default: form.host, unit: "", allowed: "", choices: [],
      help: "Gateway or engine, e.g. http://127.0.0.1:8080",
    });
    byId("presets").replaceChildren(...this.presets());
    this.show();
  }

  choose(scenario) {
    this.scenario = scenario;
    this.show();
    this.onChange();
  }

  // What is sent: every field, those that are not shown as if nobody had touched them.
  posted() {
    const shown = new Set(this.shown());
    const form = { scenario: this.scenario };
    for (const [name, field] of this.fields) form[name] = shown.has(name) ? this.values.get(name) : field.default;
    return form;
  }

  card() {
    return this.form.scenarios.find((card) => card.name === this.scenario);
  }

  main() {
    const lengths = this.form.length_fields[this.values.get("workload")] ?? [];
    return ["host", ...this.card().fields, ...this.form.always, ...lengths];
  }

  shown() {
    return [...this.main(), ...this.form.advanced];
  }

  show() {
    byId("fields").replaceChildren(...this.main().map((name) => this.field(this.fields.get(name))));
    byId("advanced").replaceChildren(...this.form.advanced.map((name) => this.field(this.fields.get(name))));
    this.count();
  }

  count() {
    const changed = this.form.advanced.filter((name) => this.values.get(name) !== this.fields.get(name).default).length;
    byId("changed").textContent = changed ? `(${changed} not at their default)` : "";
  }

  field(field) {
    const control = this.control(field);
    const hint = [field.allowed, field.default === "" || field.name === "host" || field.kind === "choice" ? "" : `default ${field.default}`].filter(Boolean).join(" · ");
    return el("div", { class: "field", "data-field": field.name },
      el("label", { for: `field-${field.name}`, title: field.help }, field.label),
      control,
      el("span", { class: "unit" }, field.unit),
      el("p", { class: "hint", id: `hint-${field.name}` }, hint || field.help),
      el("p", { class: "wrong", id: `wrong-${field.name}`, role: "alert", hidden: true }));
  }

  control(field) {
    const common = { id: `field-${field.name}`, name: field.name, "aria-describedby": `hint-${field.name} wrong-${field.name}` };
    const value = this.values.get(field.name);
    const control = field.kind === "choice"
      ? el("select", common, ...field.choices.map((choice) => el("option", { value: choice, selected: choice === value }, choice)))
      : el("input", {
        ...common, type: field.kind === "secret" ? "password" : "text", value, autocomplete: field.kind === "secret" ? "new-password" : "off", spellcheck: "false",
        inputmode: field.kind === "whole" ? "numeric" : field.kind === "number" ? "decimal" : null,
      });
    control.addEventListener("input", () => this.typed(field.name, control.value.trim()));
    return control;
  }

  typed(name, value) {
    this.values.set(name, value);
    if (name === "workload") this.show(), byId("field-workload").focus();
    this.count();
    this.onChange();
  }

  presets() {
    const groups = new Map();
    for (const preset of this.form.presets) groups.set(preset.group, [...(groups.get(preset.group) ?? []), preset]);
    return [...groups].map(([group, presets]) => el("p", { class: "presets", role: "group", "aria-label": group },
      el("span", { class: "quiet" }, group), ...presets.map((preset) => this.preset(preset))));
  }

  preset(preset) {
    const button = el("button", { type: "button" }, preset.title);
    button.addEventListener("click", () => {
      for (const [name, value] of Object.entries(preset.values)) this.values.set(name, value);
      this.show();
      this.onChange();
    });
    return button;
  }

  // Says what is wrong at its field; where that is not on the page, the caller says it elsewhere (false).
  tell(problem) {
    for (const box of document.querySelectorAll("#planning .field")) {
      const wrong = problem !== null && box.dataset.field === problem.field;
      const control = box.querySelector("input, select");
      const line = box.querySelector(".wrong");
      if (wrong) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
      line.hidden = !wrong;
      line.textContent = wrong ? problem.reason : "";
    }
    if (problem !== null && this.form.advanced.includes(problem.field)) byId("more").open = true;
    return problem === null || this.shown().includes(problem.field);
  }
}
