package main

import (
	"errors"
	"slices"

	"intouch/store"
)

// classification reads how clients are classified. The store knows what is
// right and names the key that is not.
func (c *reading) classification(t *table) {
	def := store.DefaultClassification
	k := &c.cfg.Classification
	*k = store.Classification{
		Measure:    store.Measure(t.text("measure", string(def.Measure))),
		Period:     store.Period(t.text("period", string(def.Period))),
		ABCPeriods: t.number("abc_periods", def.ABCPeriods, 1, store.MaxPeriods),
		OneOff:     t.number("one_off", def.OneOff, 1, 1_000_000),
		LostAfter:  t.number("lost_after", def.LostAfter, 1, store.MaxPeriods),
		XYZPeriods: t.number("xyz_periods", def.XYZPeriods, 2, store.MaxPeriods),
		Shares:     [3]int(t.numbers("abc", def.Shares[:])),
		XYZ:        [2]int(t.numbers("xyz", def.XYZ[:])),
	}
	for _, fault := range k.Check() {
		t.fault(fault.Field, "%s", fault.Reason)
	}
}

// keepInTouch reads which contacts the program plans by itself.
func (c *reading) keepInTouch(t *table) {
	k := &c.cfg.KeepInTouch
	*k = store.KeepInTouch{
		PerDay:       t.number("per_day", 10, 0, 1000),
		BirthdayDays: t.number("birthday_days", 3, 0, store.MaxBirthdayDays),
		Worsened:     t.flag("worsened", true),
	}
	for _, t := range t.list("cadence") {
		k.Cadences = append(k.Cadences, store.Cadence{
			Importance: oneOf(t, "importance", store.Importances),
			Class:      oneOf(t, "class", store.Classes),
			Stage:      oneOf(t, "stage", store.Stages),
			Days:       t.number("days", 0, 1, 3650),
		})
		if !t.has("days") {
			t.fault("days", "is missing: after so many days without a contact one is planned")
		}
	}
}

// reminders reads when managers are told of what is coming.
func (c *reading) reminders(t *table) {
	r := store.DefaultReminders
	for _, key := range store.ReminderKeys {
		var bad *store.Invalid
		if err := r.Set(key, t.text(key, r.Get(key))); errors.As(err, &bad) {
			t.fault(key, "%s", bad.Reason)
		}
	}
	c.cfg.Reminders = r
}

// oneOf takes one of some words, "" where the key is missing.
func oneOf[T ~string](t *table, key string, words []T) T {
	v := T(t.text(key, ""))
	if v != "" && !slices.Contains(words, v) {
		t.fault(key, "%q is none of %s", v, wordList(words))
		return ""
	}
	return v
}

func wordList[T ~string](words []T) (text string) {
	for i, w := range words {
		if i > 0 {
			text += ", "
		}
		text += string(w)
	}
	return text
}
