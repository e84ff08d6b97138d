package admission_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/config/admission"
	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// introduced maps each API of the manifests to the minor version of Kubernetes 1 that introduced it.
var introduced = map[string]uint{
	"v1": 0, "apps/v1": 9, "rbac.authorization.k8s.io/v1": 8, "apiextensions.k8s.io/v1": 16, "policy/v1": 21, "admissionregistration.k8s.io/v1": 30,
	"kustomize.config.k8s.io/v1beta1": 0, "autoscaling/v2": 23,
}

// The manifests use no API that the oldest supported version lacks.
func TestManifestsFitTheOldestKubernetes(t *testing.T) {
	oldest := version.MustParseGeneric(names.OldestKubernetes)
	files, err := filepath.Glob("../../internal/operator/operand/manifests/current/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests of the control plane are found: %v", err)
	}
	for _, file := range append(files, "../../dist/install.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			var object struct{ APIVersion, Kind string }
			if err := yaml.Unmarshal(document, &object); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if minor, known := introduced[object.APIVersion]; object.APIVersion != "" && (!known || minor > oldest.Minor()) {
				t.Errorf("%s has %s %s, which Kubernetes %s may lack", file, object.APIVersion, object.Kind, oldest)
			}
		}
	}
}

// The expressions of definitions and admission policies use no function that the oldest supported version lacks.
func TestExpressionsFitTheOldestKubernetes(t *testing.T) {
	oldest := version.MustParseGeneric(names.OldestKubernetes)
	env := expressions(t, oldest)
	compiled := 0
	for _, files := range []fs.FS{crd.Own, crd.SMI, crd.MCS, admission.Policies} {
		err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := fs.ReadFile(files, path)
			if err != nil {
				return err
			}
			var object any
			if err := yaml.Unmarshal(text, &object); err != nil {
				return err
			}
			for _, expression := range expressionsIn(object) {
				compiled++
				if _, issues := env.Compile(expression); issues.Err() != nil {
					t.Errorf("%s: Kubernetes %s does not compile %q: %v", path, oldest, expression, issues.Err())
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if compiled < 50 {
		t.Errorf("%d expressions were found, want more: has the form of the files changed?", compiled)
	}
	if _, issues := env.Compile("isSemver('1.0.0')"); issues.Err() == nil {
		t.Error("a function of Kubernetes 1.34 compiles, so this test cannot fail")
	}
}

// expressions returns the environment for new expressions of a version. Variables have any type, because the schemas are those of the newest
// version.
func expressions(t *testing.T, v *version.Version) *cel.Env {
	t.Helper()
	var variables []cel.EnvOption
	for _, name := range []string{"self", "oldSelf", "object", "oldObject", "request", "namespaceObject", "variables", "params", "authorizer"} {
		variables = append(variables, cel.Variable(name, cel.DynType))
	}
	set, err := environment.MustBaseEnvSet(v).Extend(environment.VersionedOptions{IntroducedVersion: version.MajorMinor(1, 0), EnvOptions: variables})
	if err != nil {
		t.Fatal(err)
	}
	return set.NewExpressionsEnv()
}

// expressionsIn returns all expressions below a value.
func expressionsIn(value any) []string {
	var all []string
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			all = append(all, expressionsIn(item)...)
		}
	case map[string]any:
		for key, item := range v {
			text, isText := item.(string)
			if isText && (key == "rule" || key == "expression" || strings.HasSuffix(key, "Expression")) {
				all = append(all, text)
			}
			all = append(all, expressionsIn(item)...)
		}
	}
	return all
}
