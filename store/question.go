package store

import (
	"fmt"
	"time"
)

// Question is a row of another system that is right in itself but lacks
// something, or does not add up. It is kept apart until what it lacks has come,
// a newer row of its record replaces it, or a head drops it.
type Question struct {
	ID     int64
	Kind   QuestionKind
	Key    string // the other system's key of the record
	Reason QuestionReason
	Detail QuestionDetail
	Taken  bool   // the record is there, and the question only notes something
	Given  string // the row as it came: CSV as a JSON object, CommerceML as XML
	File   string // "" when it came in no file
	Line   int    // of the file, from 1
	At     time.Time
}

// QuestionKind is what a question is about.
type QuestionKind string

const (
	AboutDeal     QuestionKind = "deal"
	AboutEvent    QuestionKind = "event"
	AboutLine     QuestionKind = "line"
	AboutDocument QuestionKind = "document"
	AboutNote     QuestionKind = "note"
	AboutContact  QuestionKind = "contact"

	// What only others wait for.
	AboutClient QuestionKind = "client"
	AboutRate   QuestionKind = "rate" // its key is the currency
)

// waitsFor is questions.lacks of a row that lacks this record.
func waitsFor(kind QuestionKind, key string) string { return string(kind) + " " + key }

// QuestionReason is why a row is kept apart.
type QuestionReason string

const (
	LacksDeal     QuestionReason = "unknown-deal"
	LacksClient   QuestionReason = "unknown-client"
	LacksDocument QuestionReason = "unknown-document"
	LacksRate     QuestionReason = "no-rate"
	// SumsDiffer: the lines do not make the sum of their deal or document,
	// which is taken: its own sum is law.
	SumsDiffer QuestionReason = "sums-differ"
	// NotApplied: what the row lacked has come, and it cannot be taken
	// for another reason.
	NotApplied QuestionReason = "not-applied"
)

// QuestionDetail is what the words of a reason need.
type QuestionDetail struct {
	Lacks string `json:",omitempty"` // key of a deal, client or document; a currency
	On    Date   `json:",omitempty"` // when the rate is needed
	Sum   *Money `json:",omitempty"` // what the record says
	Lines *Money `json:",omitempty"` // what its lines make
	Fault string `json:",omitempty"` // of NotApplied, in English
}

// Bounds of what is kept apart. What goes beyond is refused with its reason.
const (
	maxQuestions = 100_000
	maxKeptRow   = 64 << 10 // bytes of one row
)

// Text is the reason in words for a person.
func (q *Question) Text(lang Language) string {
	d := q.Detail
	ru, en := "", ""
	switch q.Reason {
	case LacksDeal:
		ru, en = fmt.Sprintf("нет сделки «%s»", d.Lacks), fmt.Sprintf("there is no deal %q", d.Lacks)
	case LacksClient:
		ru, en = fmt.Sprintf("нет клиента «%s»", d.Lacks), fmt.Sprintf("there is no client %q", d.Lacks)
	case LacksDocument:
		ru, en = fmt.Sprintf("нет документа «%s»", d.Lacks), fmt.Sprintf("there is no document %q", d.Lacks)
	case LacksRate:
		ru, en = fmt.Sprintf("нет курса %s на %s", d.Lacks, d.On), fmt.Sprintf("there is no rate of %s on %s", d.Lacks, d.On)
	case SumsDiffer:
		if d.Sum != nil && d.Lines != nil {
			ru = fmt.Sprintf("сумма %s, а строки дают %s", d.Sum.Format(Russian), d.Lines.Format(Russian))
			en = fmt.Sprintf("the sum is %s, but the lines make %s", d.Sum.Format(English), d.Lines.Format(English))
		}
	case NotApplied:
		ru, en = "не принято: "+d.Fault, "not taken: "+d.Fault
	}
	if lang == Russian {
		return ru
	}
	return en
}

// Lacking is the fault of a row that may be kept apart: what it refers to, or
// needs, is not there yet.
type Lacking struct {
	Invalid
	Reason QuestionReason
	Detail QuestionDetail
	until  string // questions.lacks
}

// Unwrap makes it the fault of a row for all who keep none.
func (l *Lacking) Unwrap() error { return &l.Invalid }

// lacking is the fault of a row that names a record by a key that is unknown.
func lacking(record QuestionKind, reason QuestionReason, key string) error {
	return &Lacking{
		Invalid: Invalid{string(record), fmt.Sprintf("unknown %s %q", record, clip(key, 80))},
		Reason:  reason, Detail: QuestionDetail{Lacks: clip(key, 200)}, until: waitsFor(record, key),
	}
}

// Given is a row as another system gave it.
type Given struct {
	File string
	Line int           // from 1
	Text func() string // asked only when the row is kept
}
