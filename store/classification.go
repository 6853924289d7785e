package store

import (
	"cmp"
	"math/big"
	"slices"
	"strconv"
	"time"
)

// Classification of clients by what they buy: ABC, stage and XYZ (rules.md
// section 5). Sales documents are shipments; a sum is that of shipments less
// returns.

// Measure is what clients are sorted by, and what XYZ looks at.
type Measure string

const (
	ByRevenue Measure = "revenue"
	ByProfit  Measure = "profit" // revenue less the cost of what was shipped
	ByNumber  Measure = "number" // of sales documents
)

// Period is the unit of time of a classification. Periods end with the day
// that is classified, so that all of them are whole: on 25 November the last
// month is from 26 October to 25 November.
type Period string

const (
	Week    Period = "week"
	Month   Period = "month"
	Quarter Period = "quarter"
)

// Measures and Periods are what the settings may say.
var (
	Measures = []Measure{ByRevenue, ByProfit, ByNumber}
	Periods  = []Period{Week, Month, Quarter}
)

// MaxPeriods is how far back a classification may look.
const MaxPeriods = 120

// Classification is how clients are classified.
type Classification struct {
	Measure    Measure `json:"measure"`
	Period     Period  `json:"period"`
	ABCPeriods int     `json:"abc_periods"` // whose sums ABC compares
	Shares     [3]int  `json:"abc"`         // percent of the sum that A, B and C make; together 100
	OneOff     int     `json:"one_off"`     // up to so many sales a client is one-off
	LostAfter  int     `json:"lost_after"`  // periods without a sale
	XYZPeriods int     `json:"xyz_periods"`
	XYZ        [2]int  `json:"xyz"` // coefficient of variation in percent: X up to the first, Y up to the second
}

// DefaultClassification is that of rules.md section 5.
var DefaultClassification = Classification{
	Measure: ByRevenue, Period: Month, ABCPeriods: 12, Shares: [3]int{70, 20, 10}, OneOff: 2, LostAfter: 3, XYZPeriods: 12, XYZ: [2]int{10, 25},
}

// Check gives every fault, with the name of the setting as Field.
func (c *Classification) Check() (faults []*Invalid) {
	fault := func(ok bool, field, reason string) {
		if !ok {
			faults = append(faults, &Invalid{field, reason})
		}
	}
	count := func(n int) bool { return n >= 1 && n <= MaxPeriods }
	fault(slices.Contains(Measures, c.Measure), "measure", `must be "revenue", "profit" or "number"`)
	fault(slices.Contains(Periods, c.Period), "period", `must be "week", "month" or "quarter"`)
	fault(count(c.ABCPeriods), "abc_periods", "must be from 1 to "+strconv.Itoa(MaxPeriods))
	fault(count(c.LostAfter), "lost_after", "must be from 1 to "+strconv.Itoa(MaxPeriods))
	fault(c.XYZPeriods >= 2 && count(c.XYZPeriods), "xyz_periods", "must be from 2 to "+strconv.Itoa(MaxPeriods)+": one period has no variation")
	fault(c.OneOff >= 1, "one_off", "must be at least 1: the most sales of a one-off client")
	fault(slices.Min(c.Shares[:]) >= 0 && c.Shares[0]+c.Shares[1]+c.Shares[2] == 100, "abc", "the shares of A, B and C must not be negative and add up to 100")
	fault(c.XYZ[0] >= 0 && c.XYZ[0] <= c.XYZ[1] && c.XYZ[1] <= 10_000, "xyz", "the bounds of X and Y must ascend from 0 to 10000")
	return faults
}

// ends are the days on which periods end, the newest first: period k (from 1)
// is what comes after ends[k] up to ends[k-1].
func (c *Classification) ends(day Date) []Date {
	ends := make([]Date, max(c.ABCPeriods, c.LostAfter, c.XYZPeriods)+1)
	for k := range ends {
		ends[k] = c.Period.back(day, k)
	}
	return ends
}

// back is the day n periods earlier; of a month that has no such day, its
// last one.
func (p Period) back(day Date, n int) Date {
	t, err := time.Parse(dateLayout, string(day))
	if err != nil {
		return ""
	}
	months := n
	switch p {
	case Week:
		return DateOf(t.AddDate(0, 0, -7*n), time.UTC)
	case Quarter:
		months = 3 * n
	}
	first := time.Date(t.Year(), t.Month()-time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return DateOf(first.AddDate(0, 0, min(t.Day(), last)-1), time.UTC)
}

// sales is what a client bought up to the day that is classified.
type sales struct {
	count   int     // sales documents
	last    int     // the period of the last one, from 1; len(ends) is any earlier one, 0 none
	amount  int64   // the measure over the periods of ABC
	periods []int64 // the measure of each period of XYZ, in any order
}

// The stages of a client.
const (
	StageLost      = "lost"
	StagePotential = "potential"
	StageOneOff    = "one-off"
	StageRegular   = "regular"
)

// Classes, Stages and Variations are what a client's may be.
var (
	Classes    = []string{"A", "B", "C"}
	Stages     = []string{StagePotential, StageOneOff, StageRegular, StageLost}
	Variations = []string{"X", "Y", "Z"}
)

var stageScale = []string{StageLost, StagePotential, StageOneOff, StageRegular}

// stage is lost, potential, one-off or regular.
func (c *Classification) stage(s *sales) string {
	switch {
	case s.count == 0:
		return StagePotential
	case s.last > c.LostAfter:
		return StageLost
	case s.count <= c.OneOff:
		return StageOneOff
	}
	return StageRegular
}

// xyz tells how evenly a regular client buys: CV = sqrt(Σ(x−mean)²/n) · 100 /
// mean over all periods, those without a sale among them. Bounds belong to the
// better class, so the comparison is exact: squared, it is (n·Σx² − S²) · 100²
// ≤ bound² · S² with S = Σx. What sums up to nothing, or less, is Z.
func (c *Classification) xyz(periods []int64) string {
	var sum, squares, x big.Int
	for _, v := range periods {
		x.SetInt64(v)
		sum.Add(&sum, &x)
		squares.Add(&squares, x.Mul(&x, &x))
	}
	if sum.Sign() <= 0 {
		return "Z"
	}
	var spread, most big.Int
	sum.Mul(&sum, &sum)
	spread.Mul(&squares, big.NewInt(int64(len(periods))))
	spread.Sub(&spread, &sum)
	spread.Mul(&spread, big.NewInt(100*100))
	for i, bound := range c.XYZ {
		most.Mul(&sum, big.NewInt(int64(bound)*int64(bound)))
		if spread.Cmp(&most) <= 0 {
			return [2]string{"X", "Y"}[i]
		}
	}
	return "Z"
}

// abc gives each sum its class: sorted from the largest, A are those that
// begin within the first share of the total, B within the next, C the rest. So
// the largest is always an A, even if it alone is more than A's share. Of equal
// ones the earlier in the list comes first. What is not above zero is a C and
// adds nothing to the total.
func (c *Classification) abc(sums []int64) []string {
	order := make([]int, len(sums))
	var total, before, v big.Int
	for i := range sums {
		order[i] = i
		total.Add(&total, v.SetInt64(max(sums[i], 0)))
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(sums[b], sums[a]), cmp.Compare(a, b)) })
	var edges [2]big.Int // of A and B, times 100
	edges[0].Mul(&total, big.NewInt(int64(c.Shares[0])))
	edges[1].Mul(&total, big.NewInt(int64(c.Shares[0]+c.Shares[1])))
	classes := make([]string, len(sums))
	for _, i := range order {
		switch {
		case sums[i] > 0 && before.Cmp(&edges[0]) < 0:
			classes[i] = "A"
		case sums[i] > 0 && before.Cmp(&edges[1]) < 0:
			classes[i] = "B"
		default:
			classes[i] = "C"
		}
		if sums[i] > 0 {
			before.Add(&before, v.Mul(v.SetInt64(sums[i]), big.NewInt(100)))
		}
	}
	return classes
}

// Position is where a client stands: what a classification finds.
type Position struct {
	ABC   string // A, B, C; "" when lost or potential
	Stage string // "" only before the first classification
	XYZ   string // X, Y, Z of a regular client, else ""
}

// Relation is how a relationship went from one position to another.
type Relation string

const (
	Improved  Relation = "improved"
	Worsened  Relation = "worsened"
	Unchanged Relation = "unchanged"
	New       Relation = "new" // there was no earlier position
)

// rank on the scale lost < potential < one-off < Z < Y < X.
func (p Position) rank() int {
	rank := slices.Index(stageScale, p.Stage)
	if p.Stage == StageRegular {
		rank += max(0, slices.Index([]string{"Z", "Y", "X"}, p.XYZ))
	}
	return rank
}

// Since compares the position with an earlier one.
func (p Position) Since(former Position) Relation {
	if former.Stage == "" {
		return New
	}
	switch cmp.Compare(p.rank(), former.rank()) {
	case 1:
		return Improved
	case -1:
		return Worsened
	}
	return Unchanged
}

// stageWorsened reports whether the stage itself went down, whatever XYZ did.
func (p Position) stageWorsened(former Position) bool {
	return former.Stage != "" && slices.Index(stageScale, p.Stage) < slices.Index(stageScale, former.Stage)
}

// ClassRow is one row of a client's dated history: its position since Day.
type ClassRow struct {
	Day Date
	Position
	Former  Position // Stage is "" in the first row
	Measure Measure
	Amount  Money // of the measure; of numbers Minor counts sales documents
}

// shownStage is the stage that pages, calendars and selections use: what the
// documents say once there is a sale, else what people or files gave (they may
// know of sales that the accounting system does not send), else the computed
// "potential".
func shownStage(computed, given string, found bool) string {
	if found || given == "" {
		return computed
	}
	return given
}
