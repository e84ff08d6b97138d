package contract

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/envoy/bootstrap"
)

// TestThisVersionIsTheLast: who raises the version, the bootstrap or Envoy has to promise something about it.
func TestThisVersionIsTheLast(t *testing.T) {
	text, err := os.ReadFile("../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	this, known := Recorded().Of(strings.TrimSpace(string(text)))
	if last := Current(); !known || this.Minor != last.Minor {
		t.Errorf("the last promise is that of %s, and the file VERSION says %s", last.Minor, text)
	}
	if this.Bootstrap != bootstrap.Version {
		t.Errorf("%s promises bootstrap version %s, and renders %s", this.Minor, this.Bootstrap, bootstrap.Version)
	}
	pins, err := os.ReadFile("../../hack/images/fetch/envoy.go")
	if err != nil {
		t.Fatal(err)
	}
	var pinned []string
	for _, match := range regexp.MustCompile(`Version: +"([0-9.]+)"`).FindAllStringSubmatch(string(pins), -1) {
		pinned = append(pinned, minorOf(match[1]))
	}
	slices.Sort(pinned)
	if !slices.Equal(pinned, this.Envoys) || this.Envoy != this.Envoys[len(this.Envoys)-1] {
		t.Errorf("%s promises Envoy %v and runs %s, and configurations are tried with %v", this.Minor, this.Envoys, this.Envoy, pinned)
	}
}

// TestEachFrozenVersionHasAPromise looks at what is built into the operator.
func TestEachFrozenVersionHasAPromise(t *testing.T) {
	folders, err := os.ReadDir("../operand/manifests")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if _, known := Recorded().Of(folder.Name()); !known && folder.Name() != "current" {
			t.Errorf("version %s can be installed, and nothing is said about what works with it", folder.Name())
		}
	}
}

// TestNeighboursServeEachOther: a mesh goes from one version to the next, and back, while sidecars of both live in it.
func TestNeighboursServeEachOther(t *testing.T) {
	table := Recorded()
	for i, p := range table {
		for _, other := range table[max(0, i-1):min(len(table), i+2)] {
			if !p.starts(other) {
				t.Errorf("%s does not serve sidecars of %s", p.Minor, other.Minor)
			}
		}
	}
}

// TestTheDocumentedTableIsThis compares with docs/upgrades.md.
func TestTheDocumentedTableIsThis(t *testing.T) {
	page, err := os.ReadFile("../../docs/upgrades.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Recorded() {
		row := fmt.Sprintf("| %s | %s with %s | %s | %s | %s |\n", p.Minor, p.Bootstrap, p.Envoy, strings.Join(p.Bootstraps, ", "), strings.Join(p.Envoys, ", "), p.HeldBy)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/upgrades.md lacks the row\n%s", row)
		}
	}
}

// five is a table of five versions, of which the fourth gave an old bootstrap up, and the fifth an old Envoy.
func five() Table {
	return Table{
		{Minor: "v0.1", Bootstrap: "1", Envoy: "1.40", Bootstraps: []string{"1", "2"}, Envoys: []string{"1.40"}},
		{Minor: "v0.2", Bootstrap: "2", Envoy: "1.40", Bootstraps: []string{"1", "2"}, Envoys: []string{"1.39", "1.40"}},
		{Minor: "v0.3", Bootstrap: "2", Envoy: "1.41", Bootstraps: []string{"1", "2"}, Envoys: []string{"1.40", "1.41"}},
		{Minor: "v0.4", Bootstrap: "2", Envoy: "1.41", Bootstraps: []string{"2"}, Envoys: []string{"1.40", "1.41"}},
		{Minor: "v1.0", Bootstrap: "3", Envoy: "1.42", Bootstraps: []string{"2", "3"}, Envoys: []string{"1.41", "1.42"}},
	}
}

func TestStep(t *testing.T) {
	for name, test := range map[string]struct {
		from, to string
		sidecars []string
		want     string
	}{
		"to the next":                        {"v0.1.0", "v0.2.0", []string{"v0.1.0"}, ""},
		"a patch":                            {"v0.2.0", "v0.2.7", []string{"v0.2.0"}, ""},
		"back by one":                        {"v0.3.0", "v0.2.0", []string{"v0.2.0"}, ""},
		"back by one with what it cannot do": {"v0.3.0", "v0.2.0", []string{"v0.3.1"}, "v0.2.0 does not serve sidecars of version v0.3.1"},
		"nowhere":                            {"v0.2.0", "v0.2.0", []string{"v0.1.0"}, ""},
		"over a major version":               {"v0.4.2", "v1.0.0", []string{"v0.4.2"}, ""},
		"too far ahead":                      {"v0.1.0", "v0.3.0", nil, "a mesh goes from v0.1 to v0.3 over v0.2, one minor version after the other: set spec.version to a version of v0.2 first"},
		"too far back":                       {"v1.0.0", "v0.1.0", nil, "a mesh goes from v1.0 to v0.1 over v0.4, one minor version after the other: set spec.version to a version of v0.4 first"},
		"sidecars that were left behind":     {"v0.3.0", "v0.4.0", []string{"v0.3.0", "v0.1.0"}, "v0.4.0 does not serve sidecars of version v0.1.0, which live in this mesh (they start from bootstrap version 1 with Envoy 1.40, and it serves bootstrap versions 2 with Envoy 1.40, 1.41): restart"},
		"a pre-release of the next":          {"v0.1.0", "v0.2.1-crash", []string{"v0.1.0"}, ""},
		"a version that nothing is said of":  {"v0.1.0", "v9.0.0", []string{"v0.1.0"}, ""},
		"a plain build":                      {"dev", "v0.1.0", []string{"dev"}, ""},
		"sidecars of who knows whom":         {"v0.1.0", "v0.2.0", []string{"v9.0.0", "what"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := five().Step(test.from, test.to, test.sidecars)
			if !strings.HasPrefix(got, test.want) || (test.want == "") != (got == "") {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	promise := Promise{Minor: "v0.2", Envoys: []string{"1.9", "1.40"}}
	for release, refused := range map[string]bool{"1.8.7": true, "0.99.0": true, "1.9.0": false, "1.40.2": false, "1.41.0": false, "": false, "what": false} {
		if got := promise.Refuses(release); (got != "") != refused {
			t.Errorf("Envoy %q is refused with %q", release, got)
		}
	}
	if got := (Promise{}).Refuses("1.8.7"); got != "" {
		t.Errorf("who promises nothing refuses with %q", got)
	}
	for release, tried := range map[string]bool{"1.40.9": true, "1.39.0": false, "1.41.0": false, "": false} {
		if promise.Tried(release) != tried {
			t.Errorf("Envoy %q was tried: %t", release, !tried)
		}
	}
}
