package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newCheckout returns a checkout of v0.2.0 with the given recorded versions.
func newCheckout(t *testing.T, recorded ...string) (root string) {
	t.Helper()
	root = t.TempDir()
	files := map[string]string{
		"VERSION":                 "v0.2.0\n",
		"config/manager/a.yaml":   "image: openservicemesh/osm-operator:v0.2.0\n",
		"config/testdata/a.yaml":  "image: openservicemesh/osm-operator:v0.2.0\n",
		"docs/traffic/egress.md":  "openservicemesh/curl:v0.2.0 and another/curl:v0.2.0\n",
		"docs/upgrades.md":        "since v0.2.0, osm-controller-v0-2-0\n",
		"docs/walkthrough.md":     "version v0.2.0, `version: v0.2.0`, \"version\":\"v0.2.0\", --version v0.2.0, mirror.example/init:v0.2.0, v0.2.01\n",
		"internal/untouched.yaml": "image: openservicemesh/osm-operator:v0.2.0\n",
	}
	for _, version := range recorded {
		files["internal/operator/operand/manifests/"+version+"/COMMIT"] = strings.Repeat("a", 40)
	}
	for name, content := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestBeginReplacesVersionAndTags(t *testing.T) {
	root := newCheckout(t, "v0.2.0")
	if err := begin(root, "v0.3.0"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"VERSION":                 "v0.3.0\n",
		"config/manager/a.yaml":   "image: openservicemesh/osm-operator:v0.3.0\n",
		"config/testdata/a.yaml":  "image: openservicemesh/osm-operator:v0.2.0\n",
		"docs/traffic/egress.md":  "openservicemesh/curl:v0.3.0 and another/curl:v0.2.0\n",
		"docs/upgrades.md":        "since v0.2.0, osm-controller-v0-3-0\n",
		"docs/walkthrough.md":     "version v0.3.0, `version: v0.3.0`, \"version\":\"v0.3.0\", --version v0.3.0, mirror.example/init:v0.3.0, v0.2.01\n",
		"internal/untouched.yaml": "image: openservicemesh/osm-operator:v0.2.0\n",
	} {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil || string(got) != want {
			t.Errorf("%s contains %q (%v), want %q", name, got, err, want)
		}
	}
}

func TestBeginRejects(t *testing.T) {
	for name, test := range map[string]struct {
		recorded   []string
		next, want string
	}{
		"no version":               {[]string{"v0.2.0"}, "next", "not a version above v0.2.0"},
		"the same version":         {[]string{"v0.2.0"}, "v0.2.0", "not a version above v0.2.0"},
		"an unrecorded version":    {nil, "v0.3.0", "v0.2.0 is not recorded"},
		"another version recorded": {[]string{"v0.1.0"}, "v0.3.0", "v0.2.0 is not recorded"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := begin(newCheckout(t, test.recorded...), test.next); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("begin returned %v, want an error with %q", err, test.want)
			}
		})
	}
}
