package report

import (
	"slices"

	"intouch/store"
)

// Form is what a page asks for before it shows a report.
type Form struct {
	Name, Title, About string
	Period             bool     // it has one
	Periods            []Choice // by name
	Groupings          []Choice
	By                 []string // how it is grouped unless asked otherwise
	Fields             []Field  // its filters and options
	Persons            bool     // it can be written as vCard
}

// Choice is a value with what people read for it.
type Choice struct{ Value, Label string }

// Field is one parameter of a report.
type Field struct {
	Name, Label string
	Kind        FieldKind
	Choices     []Choice // of a word
}

// FieldKind says how a parameter is asked for.
type FieldKind string

const (
	WordField   FieldKind = "word"   // one of Choices
	RecordField FieldKind = "record" // names a record, as in a Request
	DayField    FieldKind = "day"
	NumberField FieldKind = "number"
	TextField   FieldKind = "text"
)

// Forms are those of all reports, in a language.
func Forms(lang store.Language) []Form {
	all := make([]Form, len(reports))
	v := voice{lang}
	choices := func(prefix string, values []string) []Choice {
		out := make([]Choice, len(values))
		for i, value := range values {
			out[i] = Choice{value, v.t(prefix + value)}
		}
		return out
	}
	for i, r := range reports {
		f := Form{Name: r.name, Title: v.t("title." + r.name), About: v.t("about." + r.name), By: r.by, Groupings: choices("by.", r.groupings),
			Persons: r.name == personsReport.name}
		if r.name == dealReport.name {
			f.Title = v.t("one deal")
		}
		if r.period != "" {
			f.Period = true
			f.Periods = choices("period.", periodWords)
			at := slices.IndexFunc(f.Periods, func(c Choice) bool { return c.Value == r.period })
			f.Periods = slices.Concat(f.Periods[at:at+1], f.Periods[:at], f.Periods[at+1:]) // the default first
		}
		for _, name := range r.filters {
			if name == "counted" || name == "unregistered" {
				continue // only links ask for it
			}
			f.Fields = append(f.Fields, v.field(name))
		}
		for _, name := range optionNames(r.options) {
			field := Field{Name: name, Label: v.t("option." + name), Kind: NumberField}
			if words := r.options[name]; words != nil {
				field.Kind, field.Choices = WordField, choices("option.", words)
			}
			f.Fields = append(f.Fields, field)
		}
		all[i] = f
	}
	return all
}

// field is the field of a filter.
func (v voice) field(name string) Field {
	f := Field{Name: name, Label: v.t("by." + name), Kind: RecordField}
	words := func(prefix string, all []string) {
		f.Kind = WordField
		for _, value := range all {
			label := v.t(prefix + value)
			if label == prefix+value {
				label = store.Word(v.lang, prefix+value)
			}
			f.Choices = append(f.Choices, Choice{value, label})
		}
	}
	switch name {
	case "kind":
		words("kind.", plain(allKinds))
	case "direction":
		words("direction.", plain(allDirections))
	case "state":
		words("state.", plain(allStates))
	case "importance":
		words("importance.", plain(allImportances))
	case "status":
		words("status.", plain(allStatuses))
	case "type":
		words("type.", plain(allTypes))
	case "stage":
		words("stage.", allStages)
	case "abc":
		f.Kind, f.Choices = WordField, []Choice{{"A", "A"}, {"B", "B"}, {"C", "C"}}
	case "xyz":
		f.Kind, f.Choices = WordField, []Choice{{"X", "X"}, {"Y", "Y"}, {"Z", "Z"}}
	case "day", "week", "month", "before", "since":
		f.Kind = DayField
	case "birthday":
		f.Kind, f.Label = NumberField, v.t("option.birthday")
	case "born":
		f.Kind = NumberField
	case "campaign", "text":
		f.Kind = TextField
	case "attribute":
		f.Kind, f.Label = TextField, v.t("option.attribute")
	}
	if f.Kind == WordField && slices.Contains([]string{"stage", "abc", "xyz", "status", "type"}, name) {
		f.Choices = append(f.Choices, Choice{"none", v.t("none." + name)})
	}
	return f
}

func plain[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, word := range list {
		out[i] = string(word)
	}
	return out
}
