package main

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRecordsAreReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), recordsName)
	begun := time.Date(2026, 11, 27, 5, 0, 0, 0, time.UTC)
	write := func(shard, commit string, err error) {
		t.Helper()
		outcomes := []outcome{{name: "prepare"}, {name: "unit", counts: counts{passed: 3, skipped: 1}, err: err}}
		if err := writeRecord(file, recordOf(shard, commit, outcomes, []string{"unit ./a"}, 90*time.Second, begun)); err != nil {
			t.Fatal(err)
		}
	}
	write("2/2", "one", errors.New("failed"))
	write("1/2", "one", nil)
	write("2/2", "two", nil)
	write("1/2", "three", errors.New("failed"))
	got, err := readRecords(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []record{
		{Shard: "1/2", Commit: "three", Date: "2026-11-27", Seconds: 90, Tests: 4, Failed: []string{"unit"}, Units: []string{"unit ./a"}},
		{Shard: "2/2", Commit: "two", Date: "2026-11-27", Seconds: 90, Tests: 4, Units: []string{"unit ./a"}},
	}
	if diff := cmp.Diff(want, got.Shards); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestShardsAreAWholeRun(t *testing.T) {
	units := []string{"lint a", "unit ./a", "unit ./b"}
	first, second := record{Shard: "1/2", Commit: "one", Units: units[:2]}, record{Shard: "2/2", Commit: "two", Units: units[2:]}
	edited := func(r record, edit func(*record)) record { edit(&r); return r }
	for name, test := range map[string]struct {
		shards []record
		want   string
	}{
		"all":         {[]record{first, second}, ""},
		"none":        {nil, "no shard that counts ran 3 units of 3: lint a, unit ./a, unit ./b"},
		"one":         {[]record{first}, "no shard that counts ran 1 unit of 3: unit ./b"},
		"failed":      {[]record{first, edited(second, func(r *record) { r.Failed = []string{"e2e"} })}, "shard 2/2 failed: e2e"},
		"dirty":       {[]record{edited(first, func(r *record) { r.Commit = "one-dirty" }), second}, "shard 1/2 ran with files that are in no commit: one-dirty"},
		"no commit":   {[]record{edited(first, func(r *record) { r.Commit = unknownCommit }), second}, "shard 1/2 ran with files that are in no commit: unknown"},
		"old product": {[]record{first, edited(second, func(r *record) { r.Commit = "old" })}, "since shard 2/2 ran, the product changed: internal/mesh/scope/build.go"},
		"an earlier division whose units ran again": {[]record{edited(first, func(r *record) { r.Shard, r.Commit, r.Units = "1/1", "old", units }), first, second}, ""},
		"a failure with an old product": {
			[]record{edited(first, func(r *record) { r.Shard, r.Commit, r.Failed = "1/1", "old", []string{"e2e"} }), first, second}, "",
		},
		"a failure beside a success": {[]record{edited(first, func(r *record) { r.Shard, r.Failed = "1/1", []string{"e2e"} }), first, second}, "shard 1/1 failed: e2e"},
	} {
		got, err := records{test.shards}.missing(units, func(commit string) ([]string, error) {
			if commit == "old" {
				return []string{"internal/mesh/scope/build.go"}, nil
			}
			return nil, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if test.want == "" && len(got) > 0 || test.want != "" && !slices.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// An earlier whole run remains known when the product has changed since.
func TestWholeRunOfAnEarlierCommit(t *testing.T) {
	units := []string{"unit ./a", "unit ./b"}
	first, second := record{Shard: "1/2", Commit: "one", Units: units[:1]}, record{Shard: "2/2", Commit: "two", Units: units[1:]}
	failed := second
	failed.Failed = []string{"unit"}
	for name, test := range map[string]struct {
		shards  []record
		changed []string
		want    string
	}{
		"a whole run":           {[]record{first, second}, nil, "two"},
		"of two products":       {[]record{first, second}, []string{"internal/mesh/scope/build.go"}, ""},
		"a part":                {[]record{second}, nil, ""},
		"one part of it failed": {[]record{first, failed}, nil, ""},
		"no parts":              {nil, nil, ""},
	} {
		got, err := records{test.shards}.wholeOf(units, func(from, to string) ([]string, error) {
			if from == to {
				return nil, nil
			}
			return test.changed, nil
		})
		if err != nil || got != test.want {
			t.Errorf("%s: a whole run of %q and error %v, want %q", name, got, err, test.want)
		}
	}
}

func TestProductFiles(t *testing.T) {
	for file, want := range map[string]bool{
		"internal/mesh/scope/build.go": true, "internal/mesh/scope/build_test.go": false, "internal/mesh/envoy/testdata/a.yaml": false, "config/rbac/role.yaml": true,
		"go.mod": true, "docs/mesh.md": false, "README.md": false, "hack/budget.yaml": false, "e2e/lab/wait.go": false, "internal/testing/pods/pod.go": false,
		"dist/install.yaml": true, "VERSION": true, ".github/workflows/test.yaml": false,
	} {
		if got := isProduct(file); got != want {
			t.Errorf("%s is part of the product: %t, want %t", file, got, want)
		}
	}
}

// shardLimit is how long each of six shards may take, which the times in hack/budget.yaml predict.
const shardLimit = 75 * time.Minute

// Six shards of the checkout run each unit once, and each takes at most 75 minutes.
func TestShardsOfTheCheckout(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	c := checkout{root: root, full: true}
	b, err := readBudget(filepath.Join(c.hack(), "budget.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const count = 6
	var ran []string
	for number := 1; number <= count; number++ {
		part := shard{number, count}
		chosen, err := part.divide(c, suites(), b)
		if err != nil {
			t.Fatal(err)
		}
		names, err := unitNames(c, chosen, b)
		if err != nil {
			t.Fatal(err)
		}
		ran = append(ran, names...)
		seconds := 0
		for _, s := range chosen {
			commands, err := s.commands(c)
			if err != nil {
				t.Fatal(err)
			}
			for _, unit := range unitsOf(s.name, commands, b.Seconds) {
				seconds += unit.seconds
			}
		}
		took := time.Duration(seconds) * time.Second
		t.Logf("shard %s: %s, %s", part, took, pluralize(len(names), "unit"))
		if took > shardLimit {
			t.Errorf("shard %s takes %s, want at most %s", part, took, shardLimit)
		}
	}
	slices.Sort(ran)
	want, err := unitNames(c, suites(), b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("units of all shards (-want +got):\n%s", diff)
	}
	if twice := slices.Compact(slices.Clone(want)); len(twice) != len(want) {
		t.Errorf("%d of %d units share their name with another", len(want)-len(twice), len(want))
	}
	if i := slices.IndexFunc(want, func(name string) bool { return strings.Contains(name, root) }); i >= 0 {
		t.Errorf("the unit %q has the folder of the checkout", want[i])
	}
}
