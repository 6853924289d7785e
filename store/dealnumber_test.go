package store_test

import (
	"fmt"
	"testing"

	"intouch/store"
)

func TestDealMentioned(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) {
			for _, d := range []struct{ id, number, client string }{ // beside d1, number 1045
				{"d2", "0000-001046", "c1"}, {"d3", "ЦБ-0001047", "c1"}, {"d4", "АВ-0000048", "c1"}, {"d5", "ЦБ-0000048", "c1"},
				{"d6", "1049/26", "c1"}, {"d7", "2000", "c2"}, {"d8", "77", "c1"}, {"d9", "77", "c1"},
			} {
				h.row(im.Deal(store.DealRow{ID: d.id, Number: d.number, Date: "2026-11-02", Client: d.client, Amount: store.Money{Minor: 100}}))
			}
		})
		f := h.folder("anna", "anna", 1)
		for i, c := range []struct {
			name, want    string
			subject, text []string
		}{
			{"full", "1045", []string{"1045"}, nil},
			{"with zeros", "1045", []string{"0001045"}, nil},
			{"without zeros and prefix", "0000-001046", []string{"1046"}, nil},
			{"without zeros", "ЦБ-0001047", []string{"цб-1047"}, nil},
			{"without prefix", "ЦБ-0001047", []string{"1047"}, nil},
			{"another prefix", "", []string{"ПР-1047"}, nil},
			{"two prefixes", "", []string{"48"}, nil},
			{"its prefix", "ЦБ-0000048", []string{"ЦБ-48"}, nil},
			{"with a year", "1049/26", []string{"1049/26"}, nil},
			{"the year alone", "", []string{"26"}, nil},
			{"another client's", "", []string{"2000"}, nil},
			{"two of one number", "", []string{"77"}, nil},
			{"two deals", "", []string{"1045", "1046"}, nil},
			{"twice the same", "1045", []string{"1045", "01045"}, nil},
			{"one deal and something else", "1045", []string{"1045", "555"}, nil},
			{"in the text", "1045", nil, []string{"1045"}},
			{"the subject goes first", "1045", []string{"1045"}, []string{"1046"}},
			{"a subject of two", "", []string{"1045", "1046"}, []string{"1045"}},
			{"a subject of none", "0000-001046", []string{"555"}, []string{"1046"}},
			{"nonsense", "", []string{"", "№", "---", "\x00\xff"}, nil},
		} {
			l := h.letter(uint32(i+1), fmt.Sprint("k", i))
			l.SubjectNumbers, l.TextNumbers = c.subject, c.text
			h.file(f, l)
			if got := h.exported()[fmt.Sprint(l.Key, h.clients["c1"])].DealNumber; got != c.want {
				h.t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
		}
	})
}
