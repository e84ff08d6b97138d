package bench

import (
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

var update = flag.Bool("update", false, "record values that are better than the best so far")

const bestFile = "best.json"

// No change may cost more bytes, reach more sidecars or allocate more than the best control plane of this project did, unless the changelog says so.
// The name puts the test into a suite without the race detector, which allocates too.
func TestGoldenCosts(t *testing.T) {
	measured := map[string]float64{}
	for _, mode := range mesh.Modes() {
		few, small := map[mesh.Kind]int{}, shape{mode, 40}
		for _, kind := range mesh.Kinds(mode) {
			few[kind] = 4
		}
		maps.Copy(measured, costs(small, newSession(t, small, few).measureAll()))
	}
	recorded := map[string]best{}
	data, err := os.ReadFile(bestFile)
	if err == nil {
		err = json.Unmarshal(data, &recorded)
	}
	if *update {
		commit, gitErr := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
		if gitErr != nil {
			t.Fatal(gitErr)
		}
		text, err := json.MarshalIndent(record(measured, recorded, strings.TrimSpace(string(commit))), "", "  ")
		if err := errors.Join(err, os.WriteFile(bestFile, append(text, '\n'), 0o644)); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	changelog, err := os.ReadFile("../../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, complaint := range compareCosts(measured, recorded, string(changelog)) {
		t.Error(complaint)
	}
}

func TestCompareCosts(t *testing.T) {
	const key, allocations = "policy, 40 sidecars, endpoint: sent", "policy, 40 sidecars, endpoint: allocations a change"
	for name, test := range map[string]struct {
		measured  map[string]float64
		recorded  map[string]best
		changelog string
		want      string
	}{
		"as good":              {map[string]float64{key: 10}, map[string]best{key: {Value: 10}}, "", ""},
		"worse":                {map[string]float64{key: 11}, map[string]best{key: {Value: 10, Commit: "abc"}}, "`" + key + "`", "the best was 10 at abc"},
		"better":               {map[string]float64{key: 9}, map[string]best{key: {Value: 10}}, "", "record it"},
		"accepted":             {map[string]float64{key: 11}, map[string]best{key: {Value: 10, Accepted: 11}}, "- `" + key + "`: a reason", ""},
		"accepted in silence":  {map[string]float64{key: 11}, map[string]best{key: {Value: 10, Accepted: 11}}, key, "CHANGELOG.md has no line"},
		"worse than accepted":  {map[string]float64{key: 12}, map[string]best{key: {Value: 10, Accepted: 11}}, "`" + key + "`", "the best was 10"},
		"not measured":         {nil, map[string]best{key: {Value: 10}}, "", "was not measured"},
		"new":                  {map[string]float64{key: 10}, nil, "", "has no best value"},
		"allocations vary":     {map[string]float64{allocations: 1209}, map[string]best{allocations: {Value: 1000}}, "", ""},
		"allocations increase": {map[string]float64{allocations: 1211}, map[string]best{allocations: {Value: 1000}}, "", "the best was 1000"},
	} {
		got := strings.Join(compareCosts(test.measured, test.recorded, test.changelog), "\n")
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// A worse value is never recorded as the best one.
func TestRecord(t *testing.T) {
	before := map[string]best{"worse": {Value: 10, Commit: "a"}, "better": {Value: 10, Commit: "a"}, "regained": {Value: 10, Commit: "a", Accepted: 12}, "accepted": {Value: 10, Commit: "a", Accepted: 12}}
	got := record(map[string]float64{"worse": 11, "better": 9, "regained": 10, "accepted": 12, "new": 1}, before, "b")
	want := map[string]best{
		"worse": {Value: 10, Commit: "a"}, "better": {Value: 9, Commit: "b"}, "regained": {Value: 10, Commit: "a"},
		"accepted": {Value: 10, Commit: "a", Accepted: 12}, "new": {Value: 1, Commit: "b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
