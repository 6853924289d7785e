package store

import (
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func TestClassification_Check(t *testing.T) {
	c := DefaultClassification
	if faults := c.Check(); faults != nil {
		t.Errorf("the defaults have faults: %v", faults)
	}
	bad := Classification{Measure: "weight", Period: "day", ABCPeriods: 0, Shares: [3]int{70, 20, 11}, XYZ: [2]int{25, 10}, XYZPeriods: 1, LostAfter: MaxPeriods + 1}
	var fields []string
	for _, f := range bad.Check() {
		fields = append(fields, f.Field)
	}
	slices.Sort(fields)
	if want := []string{"abc", "abc_periods", "lost_after", "measure", "one_off", "period", "xyz", "xyz_periods"}; !slices.Equal(fields, want) {
		t.Errorf("faults in %v, want %v", fields, want)
	}
	c.Shares = [3]int{120, -10, -10}
	if c.Check() == nil {
		t.Error("negative shares were taken")
	}
}

func TestPeriod_back(t *testing.T) {
	for _, c := range []struct {
		period Period
		day    Date
		n      int
		want   Date
	}{
		{Month, "2026-11-25", 0, "2026-11-25"},
		{Month, "2026-11-25", 11, "2025-12-25"},
		{Month, "2026-03-31", 1, "2026-02-28"}, // no 31 February
		{Month, "2026-03-31", 2, "2026-01-31"}, // from the day itself, not from the one before
		{Month, "2024-03-31", 1, "2024-02-29"},
		{Quarter, "2026-05-31", 1, "2026-02-28"},
		{Quarter, "2026-11-25", 4, "2025-11-25"},
		{Week, "2026-01-05", 1, "2025-12-29"},
	} {
		if got := c.period.back(c.day, c.n); got != c.want {
			t.Errorf("%d × %s before %s: %s, want %s", c.n, c.period, c.day, got, c.want)
		}
	}
}

func TestClassification_abc(t *testing.T) {
	c := DefaultClassification
	for _, tt := range []struct {
		name string
		sums []int64
		want []string
	}{
		// Begins at 0, 40, 60, 75, 85, 95 % of 100: A, A, A, B, B, C.
		{"shares", []int64{40, 20, 15, 10, 10, 5}, []string{"A", "A", "A", "B", "B", "C"}},
		{"unsorted", []int64{5, 40, 10, 20, 15, 10}, []string{"C", "A", "B", "A", "A", "B"}},
		{"edge", []int64{70, 20, 10}, []string{"A", "B", "C"}}, // begin at 0, 70, 90: exactly on the edges
		{"one giant", []int64{95, 3, 2}, []string{"A", "C", "C"}},
		{"alone", []int64{1}, []string{"A"}},
		{"ties", []int64{10, 10, 10, 10, 10, 10, 10, 10, 10, 10}, []string{"A", "A", "A", "A", "A", "A", "A", "B", "B", "C"}},
		{"zeros", []int64{0, 0, 0}, []string{"C", "C", "C"}},
		// −50 adds nothing: the total is 100, and 30 begins at 70.
		{"returned", []int64{70, -50, 30, 0}, []string{"A", "C", "B", "C"}},
		{"none", nil, []string{}},
	} {
		if got := c.abc(tt.sums); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v of %v, want %v", tt.name, got, tt.sums, tt.want)
		}
	}
	c.Shares = [3]int{50, 30, 20}
	if got := c.abc([]int64{30, 30, 20, 20}); !slices.Equal(got, []string{"A", "A", "B", "C"}) { // begin at 0, 30, 60, 80
		t.Errorf("50/30/20: %v", got)
	}
	c.Shares = [3]int{0, 0, 100}
	if got := c.abc([]int64{3, 2}); !slices.Equal(got, []string{"C", "C"}) {
		t.Errorf("0/0/100: %v", got)
	}
}

// Whatever the sums: classes follow the order of the sums, A reaches its share
// and no client of it could be spared, and the list's order decides only among
// equal ones.
func TestClassification_abcHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 500 {
		c := DefaultClassification
		c.Shares[0] = 1 + rng.IntN(98)
		c.Shares[1] = rng.IntN(100 - c.Shares[0])
		c.Shares[2] = 100 - c.Shares[0] - c.Shares[1]
		sums := make([]int64, 1+rng.IntN(40))
		for i := range sums {
			sums[i] = rng.Int64N(50) - 10
			if rng.IntN(4) == 0 {
				sums[i] *= 1 << 56 // sums of sums pass an int64
			}
		}
		got := c.abc(sums)
		if again := c.abc(sums); !slices.Equal(got, again) {
			t.Fatalf("%v gave %v, then %v", sums, got, again)
		}
		total, a, smallest := new(big.Int), new(big.Int), int64(-1)
		for i, s := range sums {
			for j, other := range sums {
				if s > other && got[i] > got[j] {
					t.Fatalf("%d is %s, the smaller %d is %s", s, got[i], other, got[j])
				}
			}
			if s <= 0 {
				if got[i] != "C" {
					t.Fatalf("%d is %s", s, got[i])
				}
				continue
			}
			total.Add(total, big.NewInt(s))
			if got[i] == "A" {
				a.Add(a, big.NewInt(s))
				if smallest < 0 || s < smallest {
					smallest = s
				}
			}
		}
		if total.Sign() == 0 {
			continue
		}
		share := func(v *big.Int) int {
			return new(big.Int).Mul(v, big.NewInt(100)).Cmp(new(big.Int).Mul(total, big.NewInt(int64(c.Shares[0]))))
		}
		if share(a) < 0 {
			t.Fatalf("A is less than %d %% of %v: %v", c.Shares[0], sums, got)
		}
		if share(new(big.Int).Sub(a, big.NewInt(smallest))) >= 0 {
			t.Fatalf("A has one too many for %d %% of %v: %v", c.Shares[0], sums, got)
		}
	}
}

func TestClassification_stage(t *testing.T) {
	c := DefaultClassification // one-off up to 2, lost after 3
	for _, tt := range []struct {
		s    sales
		want string
	}{
		{sales{}, StagePotential},
		{sales{count: 1, last: 1}, StageOneOff},
		{sales{count: 2, last: 3}, StageOneOff},
		{sales{count: 3, last: 3}, StageRegular},
		{sales{count: 1, last: 4}, StageLost},
		{sales{count: 50, last: 4}, StageLost},
	} {
		if got := c.stage(&tt.s); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.s, got, tt.want)
		}
	}
}

func TestClassification_xyz(t *testing.T) {
	c := DefaultClassification // X up to 10 %, Y up to 25 %
	for _, tt := range []struct {
		name    string
		periods []int64
		want    string
	}{
		{"even", []int64{100, 100, 100}, "X"},
		// mean 100, Σ(x−mean)²/n = 100: CV is exactly 10 %.
		{"10 %", []int64{90, 110, 90, 110}, "X"},
		// mean 100, Σ/n = 121: 11 %.
		{"11 %", []int64{89, 111}, "Y"},
		{"25 %", []int64{75, 125}, "Y"},
		{"26 %", []int64{74, 126}, "Z"},
		// mean 100, Σ = 20000 / 3 = 6666.7: 81.6 %. The empty month counts.
		{"empty month", []int64{150, 150, 0}, "Z"},
		{"all in one", []int64{1200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "Z"},
		{"nothing", []int64{0, 0, 0}, "Z"},
		{"returned", []int64{-5, -5}, "Z"},
		// Thirds: mean 10/3, deviations −1/3, −1/3, 2/3; Σ/n = 2/9: 14.14 %.
		{"thirds", []int64{3, 3, 4}, "Y"},
		{"large", []int64{9 << 58, 9 << 58}, "X"},
	} {
		if got := c.xyz(tt.periods); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Each step of the scale is an improvement, and back a worsening.
func TestPosition_Since(t *testing.T) {
	scale := []Position{{Stage: StageLost}, {Stage: StagePotential}, {ABC: "C", Stage: StageOneOff},
		{ABC: "C", Stage: StageRegular, XYZ: "Z"}, {ABC: "A", Stage: StageRegular, XYZ: "Y"}, {ABC: "B", Stage: StageRegular, XYZ: "X"}}
	for i, from := range scale {
		for j, to := range scale {
			want := Unchanged
			switch {
			case j > i:
				want = Improved
			case j < i:
				want = Worsened
			}
			if got := to.Since(from); got != want {
				t.Errorf("from %+v to %+v: %s, want %s", from, to, got, want)
			}
			if worse := to.stageWorsened(from); worse != (want == Worsened && to.Stage != from.Stage) {
				t.Errorf("from %+v to %+v: the stage worsened: %v", from, to, worse)
			}
		}
	}
	if got := scale[0].Since(Position{}); got != New {
		t.Errorf("the first position is %s", got)
	}
}

func TestShownStage(t *testing.T) {
	for _, c := range []struct {
		computed, given string
		found           bool
		want            string
	}{
		{StagePotential, "", false, StagePotential},
		{StagePotential, StageRegular, false, StageRegular}, // sales that nobody sent
		{StageLost, StageRegular, true, StageLost},
		{"", "", false, ""},
	} {
		if got := shownStage(c.computed, c.given, c.found); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestClassification_ends(t *testing.T) {
	c := Classification{Period: Month, ABCPeriods: 1, LostAfter: 3, XYZPeriods: 2}
	if got, want := c.ends("2026-11-25"), []Date{"2026-11-25", "2026-10-25", "2026-09-25", "2026-08-25"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
