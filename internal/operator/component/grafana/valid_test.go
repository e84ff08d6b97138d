package grafana_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/grafana"
	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// grafanaOperator is the module of a grafana-operator whose definitions are used.
const grafanaOperator = "github.com/grafana/grafana-operator/v5@v5.18.0"

// dashboardDefinition reads the definition of GrafanaDashboard from the module, which the go command verifies and caches.
func dashboardDefinition(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", grafanaOperator)
	command.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(command.Dir, "go.mod"), []byte("module definitions\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := command.Output()
	var module struct{ Dir, Error string }
	if decodeErr := json.Unmarshal(out, &module); decodeErr != nil || err != nil {
		t.Fatalf("%s cannot be downloaded: %v %v %s", grafanaOperator, err, decodeErr, module.Error)
	}
	content, err := os.ReadFile(filepath.Join(module.Dir, "config", "crd", "bases", "grafana.integreatly.org_grafanadashboards.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(content, definition); err != nil {
		t.Fatal(err)
	}
	return definition
}

// TestAPIServerAcceptsObjects creates the objects of all modes with strict validation, and with the definition of a grafana-operator.
func TestAPIServerAcceptsObjects(t *testing.T) {
	config := envtest.Start(t)
	envtest.Install(t, config, dashboardDefinition(t))
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "osm-system"}}); err != nil {
		t.Fatal(err)
	}
	pages := grafana.NewPages(dashboards.Grafana)
	for _, part := range []component.Component{grafana.Managed{Pages: pages}, grafana.Dashboards{Pages: pages}, grafana.Shared{Pages: pages}} {
		objects, err := part.Render(inputs(v1alpha1.GrafanaManaged, nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			if err := client.WithFieldValidation(c, metav1.FieldValidationStrict).Create(t.Context(), object); err != nil {
				t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	}
}
