package listeners_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/packaging/listeners"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
)

const root = "../../.."

// page is around the table.
const page = `# Listeners

Every port on which a part of the mesh listens, and what limits its clients. The table is generated from the code that sets the limits, and no port of a pod is missing
(` + "`TestNoListenerIsMissing`, `TestServersHaveAProfile`" + `). [Limits](limits.md) has what happens at a limit.
Programs of other projects have no limits here: restrict their clients with a NetworkPolicy.

%s`

// TestPageHasTheTable compares the page with the code.
func TestPageHasTheTable(t *testing.T) {
	rows := append(listeners.Servers(), envoyRows(t)...)
	golden.Compare(t, root+"/docs/security/listeners.md", fmt.Appendf(nil, page, listeners.Table(rows)))
}

// TestNoListenerIsMissing finds the ports of all pods, and requires a row for each.
func TestNoListenerIsMissing(t *testing.T) {
	known := map[string]bool{}
	for _, r := range append(listeners.Servers(), envoyRows(t)...) {
		known[fmt.Sprintf("%s %d", r.Program, r.Port)] = true
	}
	ports := declared(t)
	if len(ports) < 15 {
		t.Fatalf("only %d ports were found: %v", len(ports), ports)
	}
	for _, port := range ports {
		if !known[port] {
			t.Errorf("the table has no row for %s: add it to Servers, with what limits its clients", port)
		}
	}
}

// declared returns "program port" for each containerPort of the manifests and components.
func declared(t *testing.T) []string {
	t.Helper()
	var found []string
	for program, file := range map[string]string{
		"osm-controller": "internal/operator/operand/manifests/current/controller.yaml", "osm-injector": "internal/operator/operand/manifests/current/injector.yaml",
		"osm-operator": "config/manager/deployment.yaml",
	} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`containerPort: (\d+)`).FindAllSubmatch(text, -1) {
			found = append(found, program+" "+string(match[1]))
		}
	}
	for _, c := range builtin.All() {
		objects, err := c.Render(component.Inputs{Mesh: &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}, ControlPlanes: controlPlanes(t)})
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			containers, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
			more, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "initContainers")
			for _, container := range append(containers, more...) {
				ports, _, _ := unstructured.NestedSlice(container.(map[string]any), "ports")
				for _, port := range ports {
					found = append(found, fmt.Sprintf("%s %v", object.GetName(), port.(map[string]any)["containerPort"]))
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func controlPlanes(t *testing.T) []component.ControlPlane {
	t.Helper()
	images := operand.Images{Controller: "controller", Injector: "injector", Init: "init", Sidecar: "sidecar"}
	catalogue, err := operand.NewCatalogue("v0.1.0", images)
	if err != nil {
		t.Fatal(err)
	}
	release, err := catalogue.Release("v0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	workload := operand.Workload{Autoscaling: &operand.Autoscaling{Min: 2, Max: 4, CPU: 80}}
	return []component.ControlPlane{{Release: release, Parameters: operand.Parameters{
		Mesh: "osm", Namespace: "osm-system", OperatorNamespace: "osm-operator-system", Revision: "osm-v0-1-0", TrustDomain: "cluster.local", Images: images,
		Controller: workload, Injector: workload,
	}}}
}

// TestServersHaveAProfile finds http.Servers that could have no limits. Those of the list are on the loopback interface or in examples.
func TestServersHaveAProfile(t *testing.T) {
	loopback := []string{"internal/controlplane/debug/handler.go", "internal/cli/dashboardpage.go", "internal/demo/settings.go"}
	servers := 0
	for _, folder := range []string{"cmd", "controllers", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			name, _ := strings.CutPrefix(filepath.ToSlash(path), root+"/")
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "internal/testing/") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(text), "http.Server{") || slices.Contains(loopback, name) {
				return err
			}
			if servers++; !strings.Contains(string(text), ".Apply(server, ") {
				t.Errorf("%s has an http.Server without a profile of httplimit", name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if servers < 5 {
		t.Errorf("%s servers were found, want at least 5", strconv.Itoa(servers))
	}
}
