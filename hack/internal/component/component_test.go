package component

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/network"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
)

func cluster() Cluster {
	return Cluster{
		State: paths.State{Dir: "/state"},
		Assets: assets.Set{
			Kubernetes: "/c/k", Node: "/c/n", Containerd: "/c/cd", Runc: "/c/runc", CNI: "/c/cni", Versions: assets.Versions{ControlPlane: "1.36", Node: "1.36"},
		},
		Plan: network.Default(),
	}
}

func TestRenderedFilesParse(t *testing.T) {
	files, err := cluster().Render()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if strings.Contains(string(content), "<no value>") {
			t.Errorf("%s has a missing value:\n%s", name, content)
		}
		switch {
		case strings.HasSuffix(name, ".yaml"):
			for _, document := range strings.Split(string(content), "\n---\n") {
				var object map[string]any
				if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if object["kind"] == nil || object["apiVersion"] == nil {
					t.Errorf("%s has a document without kind and apiVersion", name)
				}
			}
		case strings.HasSuffix(name, ".conflist"):
			var list struct{ Plugins []struct{ Type string } }
			if err := json.Unmarshal(content, &list); err != nil || len(list.Plugins) != 2 {
				t.Errorf("%s: %v, %+v", name, err, list)
			}
		}
	}
}

// The state folder is removed as a whole, so no process may write elsewhere.
func TestProcessesWriteOnlyBelowStateFolder(t *testing.T) {
	c := cluster()
	for name, spec := range c.Specs() {
		for _, arg := range spec.Args {
			_, value, _ := strings.Cut(arg, "=")
			if strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "/state/") {
				t.Errorf("%s has argument %s", name, arg)
			}
		}
	}
	files, err := c.Render()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`root = "/state/containerd/root"`, `state = "/state/containerd/state"`, `path = "/state/containerd/opt"`, `Root = "/state/containerd/runc"`} {
		if !strings.Contains(string(files["containerd.toml"]), want) {
			t.Errorf("containerd.toml lacks %s", want)
		}
	}
}

func TestEveryProcessHasSpec(t *testing.T) {
	specs := cluster().Specs()
	if len(specs) != len(Names()) {
		t.Errorf("%d specifications for %d names", len(specs), len(Names()))
	}
	for _, name := range Names() {
		if specs[name].Name != name || !strings.HasSuffix(specs[name].Path, "/"+name) {
			t.Errorf("the spec of %s is %+v", name, specs[name])
		}
	}
}

func TestNoProcessListensOnExternalAddress(t *testing.T) {
	p := network.Default()
	for _, arg := range cluster().apiServer() {
		if strings.HasPrefix(arg, "--bind-address=") && arg != "--bind-address="+p.NodeV4().String() {
			t.Errorf("the API server has argument %s", arg)
		}
	}
	if !slices.Contains(cluster().etcd(), "--client-cert-auth") {
		t.Error("etcd accepts clients without a certificate")
	}
}

// The programs of the node may be older than those of the control plane.
func TestProgramsOfTheNodeHaveTheirVersion(t *testing.T) {
	for name, spec := range cluster().Specs() {
		onNode := name == Kubelet || name == Proxy
		if got := strings.HasPrefix(spec.Path, "/c/n/"); got != onNode {
			t.Errorf("%s is %s", name, spec.Path)
		}
	}
}

// The mode of kube-proxy needs a feature gate in the oldest version, which later ones do not know.
func TestOldProxyHasItsFeatureGate(t *testing.T) {
	for minor, want := range map[string]bool{"1.30": true, "1.31": false, "1.36": false} {
		c := cluster()
		c.Assets.Versions.Node = minor
		files, err := c.Render()
		if got := strings.Contains(string(files["kube-proxy.yaml"]), "NFTablesProxyMode"); err != nil || got != want {
			t.Errorf("kube-proxy %s has the gate: %t (%v)", minor, got, err)
		}
	}
}
