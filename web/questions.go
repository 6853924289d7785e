package web

import (
	"errors"
	"net/http"
	"strconv"

	"intouch/store"
)

// questionsShown on one page.
const questionsShown = 100

// givenShown is how much of a row as it came is shown, in bytes.
const givenShown = 4000

// questionsView is the page of rows that imports kept apart.
type questionsView struct {
	Rows  []questionRow
	Total int64
	Next  string // of the following page; "" on the last
}

type questionRow struct {
	ID     int64
	Record string // "Документ p-1"
	Text   string
	Taken  bool
	From   string // file and line
	When   string
	Given  string
}

func newQuestionsView(say voice, all []store.Question, total int) questionsView {
	view := questionsView{Total: int64(total)}
	for i := range all {
		q := &all[i]
		row := questionRow{ID: q.ID, Record: say.t("questions."+string(q.Kind)) + " " + q.Key, Text: q.Text(say.lang), Taken: q.Taken,
			From: q.File, When: say.moment(q.At), Given: q.Given}
		if q.Line > 0 {
			row.From += ":" + strconv.Itoa(q.Line)
		}
		if len(row.Given) > givenShown {
			row.Given = row.Given[:givenShown] + "…"
		}
		view.Rows = append(view.Rows, row)
	}
	if len(all) == questionsShown {
		view.Next = "/questions?after=" + strconv.FormatInt(all[len(all)-1].ID, 10)
	}
	return view
}

// questions shows a head what is open; nobody else decides about it.
func (s *server) questions(v *visit) error {
	v.name = "status"
	if v.who.Role != store.RoleHead {
		return store.ErrForbidden
	}
	after, err := strconv.ParseInt(v.URL.Query().Get("after"), 10, 64)
	if err != nil {
		after = 0 // from the first
	}
	all, err := s.st.Questions(v.ctx, after, questionsShown)
	if err != nil {
		return err
	}
	total, err := s.st.QuestionCount(v.ctx)
	if err != nil {
		return err
	}
	return s.show(v, http.StatusOK, "questions.html", v.say.t("questions"), newQuestionsView(v.say, all, total))
}

// dropQuestion gives one up. One that is gone already is no fault: it may have
// been answered meanwhile.
func (s *server) dropQuestion(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	err = s.st.DropQuestion(v.ctx, v.actor(), id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return v.back("/questions", "stale")
	case err != nil:
		return err
	}
	return v.back("/questions", "dropped")
}
