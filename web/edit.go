package web

import (
	"slices"
	"strings"

	"intouch/store"
)

// editForm is a client or a person as the fields of a form: what was stored
// when the form was shown, and what was typed. Where somebody saved another
// version meanwhile, the form shows both and asks for each field that differs
// which one shall stay.
type editForm struct {
	Person  string // path of a person who may be given out or erased here; ""
	Title   string
	Action  string
	Back    string
	Version int64
	Note    string // what an import may do to it
	Fields  []editField
	Clash   string // who saved meanwhile, and when; "" nobody
}

type editField struct {
	Name, Label, Hint string
	Type              string // text, date, select; lines: one value on each
	Options           []option
	Most              int    // bytes of a text
	Value, Was        string // as typed, and as it was shown
	Error             string

	// In a clash.
	Theirs       string
	TakeTheirs   bool
	Differs      bool
	Mine, Others string // both as people read them
}

// text adds a field whose value is typed; kind as Type of it.
func (f *editForm) text(say voice, name, label, kind, value string) {
	hint := ""
	if key := "edit.hint." + name; texts[key] != [2]string{} {
		hint = say.t(key)
	}
	f.Fields = append(f.Fields, editField{Name: name, Label: say.t(label), Hint: hint, Type: kind, Most: 500, Value: value, Was: value})
}

// field with that name.
func (f *editForm) field(name string) *editField {
	return &f.Fields[slices.IndexFunc(f.Fields, func(e editField) bool { return e.Name == name })]
}

func (f *editForm) value(name string) string { return f.field(name).Value }

// typed reads what was sent into a form that holds what is stored.
func (f editForm) typed(v *visit) editForm {
	f.Version, f.Fields = v.version(), slices.Clone(f.Fields)
	for i := range f.Fields {
		e := &f.Fields[i]
		from := e.Name
		if v.PostFormValue("take."+e.Name) == "theirs" {
			from = "theirs." + e.Name
		}
		e.Value, e.Was = e.tidy(v.PostFormValue(from)), e.tidy(v.PostFormValue("was."+e.Name))
		e.Options = slices.Clone(e.Options)
		for j := range e.Options {
			e.Options[j].On = e.Options[j].Value == e.Value
		}
	}
	return f
}

// tidy is a value as it is compared.
func (e *editField) tidy(value string) string {
	if e.Type != "lines" {
		return strings.TrimSpace(value)
	}
	var out []string
	for line := range strings.SplitSeq(value, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// shown is a value as people read it.
func (e *editField) shown(value string) string {
	for _, o := range e.Options {
		if o.Value == value {
			return o.Label
		}
	}
	return value
}

// clash compares what was typed with what is stored now, and reports whether
// somebody changed what this one would undo. What only one of both changed is
// proposed to stay.
func (f *editForm) clash(now *editForm) bool {
	clash := false
	for i := range f.Fields {
		e, theirs := &f.Fields[i], now.Fields[i].Value
		if e.Differs = e.Value != theirs; !e.Differs {
			continue
		}
		e.Theirs, e.TakeTheirs = theirs, e.Value == e.Was
		e.Mine, e.Others = e.shown(e.Value), e.shown(theirs)
		clash = clash || theirs != e.Was
	}
	return clash
}

// lines of a field.
func lines(value string) []string {
	if value == "" {
		return []string{}
	}
	return strings.Split(value, "\n")
}

// addressLines are the addresses of a field, one on a line or with what people
// put between them, and the first that is none.
func addressLines(value string) (out []string, wrong string) {
	for _, a := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t\n,;", r) }) {
		if _, err := store.Address(a); err != nil {
			return nil, a
		}
		out = append(out, a)
	}
	return out, ""
}

// refuse puts the store's refusal beside its field.
func (f *editForm) refuse(say voice, bad *store.Invalid) {
	e := &f.Fields[0]
	if i := slices.IndexFunc(f.Fields, func(e editField) bool { return e.Name == bad.Field }); i >= 0 {
		e = &f.Fields[i]
	}
	e.Error = say.t("edit.bad")
}

func (f *editForm) faulty() bool {
	return slices.ContainsFunc(f.Fields, func(e editField) bool { return e.Error != "" })
}

// said is who changed the record last, for a clash.
func (s *server) said(v *visit, what string, id int64) (string, error) {
	last, err := s.st.History(v.ctx, what, id, 1)
	if err != nil || len(last) == 0 {
		return v.say.t("edit.somebody"), err
	}
	names, err := s.names(v)
	if err != nil {
		return "", err
	}
	row := historyRows(v.say, last, names, historyValue)[0]
	return row.Who + ", " + row.When, nil
}
