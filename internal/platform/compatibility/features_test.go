package compatibility

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestFeaturesNeedANewerKubernetes fails for a row that every supported cluster has, and for one without effect.
func TestFeaturesNeedANewerKubernetes(t *testing.T) {
	seen := map[FeatureName]bool{}
	for _, f := range Features() {
		for _, first := range []string{f.Kubelet, f.APIServer} {
			if first != "" && !version.MustParseGeneric(first).GreaterThan(version.MustParseGeneric(names.OldestKubernetes)) {
				t.Errorf("%s needs %s, which every cluster of the mesh has", f, first)
			}
		}
		if f.Kubelet == "" && f.APIServer == "" || f.Without == "" || seen[f.Name] || FeatureOf(f.Name) != f {
			t.Errorf("the row is %+v", f)
		}
		seen[f.Name] = true
	}
}

// TestEachFeatureIsUsedAndDocumented looks for the constants of the features in the source of other packages, and for their rows in docs/compatibility.md.
func TestEachFeatureIsUsedAndDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	source := sourceOf(t, "../../../internal", "../../../controllers")
	for constant, name := range map[string]FeatureName{
		"SidecarsInPlace": SidecarsInPlace, "DestinationsOnDemand": DestinationsOnDemand, "SidecarZones": SidecarZones,
	} {
		if !strings.Contains(source, "compatibility."+constant+")") {
			t.Errorf("no code asks for the feature %s", constant)
		}
		f := FeatureOf(name)
		row := fmt.Sprintf("| %s | %s | %s | %s |\n", name, anyOr(f.Kubelet), anyOr(f.APIServer), f.Without)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/compatibility.md lacks the row\n%s", row)
		}
	}
	if len(Features()) != 3 {
		t.Error("the test does not know all features")
	}
}

func anyOr(first string) string {
	if first == "" {
		return "any"
	}
	return first
}

// sourceOf returns the Go files of folders, without tests and this package.
func sourceOf(t *testing.T, folders ...string) string {
	t.Helper()
	var text strings.Builder
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "platform/compatibility/") {
				return err
			}
			content, err := os.ReadFile(path)
			text.Write(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

func TestVersionsOfKubernetesThatLackAFeature(t *testing.T) {
	inPlace, onDemand := FeatureOf(SidecarsInPlace), FeatureOf(DestinationsOnDemand)
	for kubelet, lacks := range map[string]bool{
		"v1.30.0": true, "v1.31.14": true, "v1.31.14-eks-1234": true, "v1.31.9+k3s1": true, "v1.19.10-vk-azure-aci-1.4.5": true,
		"v1.32.0": false, "v1.32.0-rc.1": false, "v1.36.3": false, "v2.0.0": false, "": false, "unknown": false,
	} {
		if got := inPlace.LacksKubelet(kubelet); got != lacks {
			t.Errorf("a kubelet %q lacks the feature: %t", kubelet, got)
		}
		if inPlace.LacksAPIServer(kubelet) {
			t.Errorf("an API server %q lacks what a kubelet does", kubelet)
		}
	}
	if !onDemand.LacksAPIServer("v1.32.9") || onDemand.LacksAPIServer("v1.33.0") || onDemand.LacksKubelet("v1.30.0") {
		t.Errorf("%+v is evaluated wrongly", onDemand)
	}
}
