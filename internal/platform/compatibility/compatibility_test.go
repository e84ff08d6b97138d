package compatibility

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
)

// TestLastEntryDescribesThisVersion fails when the version, the bootstrap or Envoy changes without a change of the table.
func TestLastEntryDescribesThisVersion(t *testing.T) {
	text, err := os.ReadFile("../../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	this, known := Recorded().Find(strings.TrimSpace(string(text)))
	if last := Current(); !known || this.Minor != last.Minor {
		t.Errorf("the last entry is for %s, and the file VERSION contains %s", last.Minor, text)
	}
	if this.Bootstrap != bootstrap.Version {
		t.Errorf("the entry of %s has bootstrap version %s, and this source renders %s", this.Minor, this.Bootstrap, bootstrap.Version)
	}
	content, err := os.ReadFile("../../../hack/images/fetch/envoy.json")
	if err != nil {
		t.Fatal(err)
	}
	var pins struct{ Earlier, Current struct{ Version string } }
	if err := json.Unmarshal(content, &pins); err != nil {
		t.Fatal(err)
	}
	pinned := []string{minorOf(pins.Earlier.Version), minorOf(pins.Current.Version)}
	if !slices.Equal(pinned, this.Envoys) || this.Envoy != this.Envoys[len(this.Envoys)-1] {
		t.Errorf("the entry of %s serves Envoy %v and injects %s, and configurations are tested with %v", this.Minor, this.Envoys, this.Envoy, pinned)
	}
}

// TestEachRecordedVersionHasAnEntry checks the versions that are embedded in the operator.
func TestEachRecordedVersionHasAnEntry(t *testing.T) {
	folders, err := os.ReadDir("../../operator/operand/manifests")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if _, known := Recorded().Find(folder.Name()); !known && folder.Name() != "current" {
			t.Errorf("version %s can be installed and has no entry", folder.Name())
		}
	}
}

// TestAdjacentVersionsServeEachOther checks that upgrades and rollbacks by one version are possible while the mesh has sidecars of both.
func TestAdjacentVersionsServeEachOther(t *testing.T) {
	table := Recorded()
	for i, entry := range table {
		for _, other := range table[max(0, i-1):min(len(table), i+2)] {
			if !entry.serves(other) {
				t.Errorf("%s does not serve sidecars of %s", entry.Minor, other.Minor)
			}
		}
	}
}

// TestDocumentedTableMatches compares the table with docs/upgrades.md.
func TestDocumentedTableMatches(t *testing.T) {
	page, err := os.ReadFile("../../../docs/upgrades.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range Recorded() {
		row := fmt.Sprintf("| %s | %s with %s | %s | %s | %s |\n", entry.Minor, entry.Bootstrap, entry.Envoy, strings.Join(entry.Bootstraps, ", "), strings.Join(entry.Envoys, ", "), entry.TestedBy)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/upgrades.md lacks the row\n%s", row)
		}
	}
}

// fiveVersions is a table of five versions. The fourth drops an old bootstrap, and the fifth an old Envoy.
func fiveVersions() Table {
	return Table{
		{Minor: "v0.1", Bootstrap: "1", Envoy: "1.40", Bootstraps: []string{"1", "2"}, Envoys: []string{"1.40"}},
		{Minor: "v0.2", Bootstrap: "2", Envoy: "1.40", Bootstraps: []string{"1", "2"}, Envoys: []string{"1.39", "1.40"}},
		{Minor: "v0.3", Bootstrap: "2", Envoy: "1.41", Bootstraps: []string{"1", "2"}, Envoys: []string{"1.40", "1.41"}},
		{Minor: "v0.4", Bootstrap: "2", Envoy: "1.41", Bootstraps: []string{"2"}, Envoys: []string{"1.40", "1.41"}},
		{Minor: "v1.0", Bootstrap: "3", Envoy: "1.42", Bootstraps: []string{"2", "3"}, Envoys: []string{"1.41", "1.42"}},
	}
}

func TestCheckStep(t *testing.T) {
	for name, test := range map[string]struct {
		from, to string
		sidecars []string
		want     string
	}{
		"next version":                       {"v0.1.0", "v0.2.0", []string{"v0.1.0"}, ""},
		"patch":                              {"v0.2.0", "v0.2.7", []string{"v0.2.0"}, ""},
		"rollback by one":                    {"v0.3.0", "v0.2.0", []string{"v0.2.0"}, ""},
		"rollback with unsupported sidecars": {"v0.3.0", "v0.2.0", []string{"v0.3.1"}, "v0.2.0 does not serve sidecars of version v0.3.1"},
		"same version":                       {"v0.2.0", "v0.2.0", []string{"v0.1.0"}, ""},
		"across a major version":             {"v0.4.2", "v1.0.0", []string{"v0.4.2"}, ""},
		"too far ahead":                      {"v0.1.0", "v0.3.0", nil, "a change from v0.1 to v0.3 skips v0.2, and a mesh changes by one minor version at a time: set spec.version to a version of v0.2 first"},
		"too far back":                       {"v1.0.0", "v0.1.0", nil, "a change from v1.0 to v0.1 skips v0.4, and a mesh changes by one minor version at a time: set spec.version to a version of v0.4 first"},
		"outdated sidecars":                  {"v0.3.0", "v0.4.0", []string{"v0.3.0", "v0.1.0"}, "v0.4.0 does not serve sidecars of version v0.1.0, which this mesh has (they use bootstrap version 1 with Envoy 1.40, and it serves bootstrap versions 2 with Envoy 1.40, 1.41): restart"},
		"pre-release of the next version":    {"v0.1.0", "v0.2.1-crash", []string{"v0.1.0"}, ""},
		"unknown version":                    {"v0.1.0", "v9.0.0", []string{"v0.1.0"}, ""},
		"development build":                  {"dev", "v0.1.0", []string{"dev"}, ""},
		"sidecars of unknown versions":       {"v0.1.0", "v0.2.0", []string{"v9.0.0", "what"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := fiveVersions().CheckStep(test.from, test.to, test.sidecars)
			if !strings.HasPrefix(got, test.want) || (test.want == "") != (got == "") {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestNextVersionIsOneStepAway follows a mesh over an operator that skips versions, forwards and back.
func TestNextVersionIsOneStepAway(t *testing.T) {
	known := []string{"v0.1.0", "v0.2.0", "v0.2.3", "v0.4.0", "v1.0.0"}
	for name, test := range map[string]struct{ from, to, want string }{
		"one step":                      {"v0.1.0", "v0.2.3", "v0.2.3"},
		"a patch":                       {"v0.2.0", "v0.2.3", "v0.2.3"},
		"two steps":                     {"v0.1.0", "v0.4.0", "v0.2.3"},
		"the version between is absent": {"v0.2.3", "v0.4.0", "v0.4.0"},
		"back":                          {"v0.4.0", "v0.2.0", "v0.2.0"},
		"the first installation":        {"", "v1.0.0", "v1.0.0"},
		"a development build":           {"dev", "v1.0.0", "v1.0.0"},
	} {
		if got := fiveVersions().NextVersion(test.from, test.to, known); got != test.want {
			t.Errorf("%s: from %q to %s the next version is %s, want %s", name, test.from, test.to, got, test.want)
		}
	}
}

func TestUnsupportedEnvoy(t *testing.T) {
	entry := Entry{Minor: "v0.2", Envoys: []string{"1.9", "1.40"}}
	for release, unsupported := range map[string]bool{"1.8.7": true, "0.99.0": true, "1.9.0": false, "1.40.2": false, "1.41.0": false, "": false, "what": false} {
		if got := entry.UnsupportedReason(release); (got != "") != unsupported {
			t.Errorf("the reason for Envoy %q is %q", release, got)
		}
	}
	if got := (Entry{}).UnsupportedReason("1.8.7"); got != "" {
		t.Errorf("an empty entry has the reason %q", got)
	}
	for release, tested := range map[string]bool{"1.40.9": true, "1.39.0": false, "1.41.0": false, "": false} {
		if entry.IsTested(release) != tested {
			t.Errorf("Envoy %q is tested: %t", release, !tested)
		}
	}
}

// Find returns the entry of a version, such as v0.2.1. It returns false for a version that is not in the table.
func (t Table) Find(desired string) (Entry, bool) {
	i := t.index(desired)
	if i < 0 {
		return Entry{}, false
	}
	return t[i], true
}
