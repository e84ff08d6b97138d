package assets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRequiredVersion(t *testing.T) {
	file := filepath.Join(t.TempDir(), "go.mod")
	content := "module x\nrequire (\n\tk8s.io/kubectl v0.36.3\n\tk8s.io/kubernetes v1.36.3\n)\nreplace (\n\tk8s.io/api => k8s.io/api v0.1.2\n)\n"
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := requiredVersion(file, "k8s.io/kubernetes"); err != nil || got != "v1.36.3" {
		t.Errorf("requiredVersion = %q, %v", got, err)
	}
	if got, err := requiredVersion(file, "k8s.io/api"); err == nil {
		t.Errorf("requiredVersion of a module that is only replaced = %q, want an error", got)
	}
}

func TestVersionFlagsSetMajorAndMinor(t *testing.T) {
	const p = " -X k8s.io/component-base/version."
	if got, want := versionFlags("v1.36.3"), p+"gitVersion=v1.36.3"+p+"gitMajor=1"+p+"gitMinor=36"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFindVersions(t *testing.T) {
	hack, err := FindHack()
	if err != nil {
		t.Fatal(err)
	}
	pins, err := kubernetesPins(hack)
	if err != nil {
		t.Fatal(err)
	}
	standard := pins[0].minor
	for name, test := range map[string]struct {
		kubernetes, kubelet string
		want                Versions
		problem             string
	}{
		"default":       {"", "", Versions{ControlPlane: standard, Node: standard}, ""},
		"oldest":        {"1.30", "", Versions{ControlPlane: "1.30", Node: "1.30"}, ""},
		"older kubelet": {"1.37", "1.34", Versions{ControlPlane: "1.37", Node: "1.34"}, ""},
		"newer kubelet": {"1.30", standard, Versions{}, "newer than the API server"},
		"unknown":       {"1.29", "", Versions{}, KubernetesVariable + `: "1.29" is no version`},
		"patch":         {"1.37.2", "", Versions{}, "they are 1.30, "},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{KubernetesVariable: test.kubernetes, KubeletVariable: test.kubelet}
			got, err := FindVersions(hack, func(variable string) string { return env[variable] })
			if got != test.want || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("FindVersions = %+v, %v; want %+v, %q", got, err, test.want, test.problem)
			}
		})
	}
}

// A version is in one file only, which is named like it.
func TestPinsAreNamedByTheirVersion(t *testing.T) {
	hack, err := FindHack()
	if err != nil {
		t.Fatal(err)
	}
	pins, err := kubernetesPins(hack)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, pin := range pins {
		if i > 0 && filepath.Base(pin.modfile) != pin.minor+".mod" || seen[pin.minor] {
			t.Errorf("%s pins %s", pin.modfile, pin.version)
		}
		seen[pin.minor] = true
	}
}

func TestNodeBefore(t *testing.T) {
	for node, want := range map[string]bool{"1.30": true, "1.31": false, "1.36": false, "1.9": true} {
		if got := (Versions{Node: node}).NodeBefore("1.31"); got != want {
			t.Errorf("a node of %s is before 1.31: %t", node, got)
		}
	}
}
