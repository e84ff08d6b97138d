package desired

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// page reads the reference of a Mesh's fields.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/mesh.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documented are the defaults in the table, by field.
func documented(t *testing.T) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]+) \\| [^|]+ \\|$").FindAllStringSubmatch(page(t), -1) {
		if _, twice := fields[row[1]]; twice {
			t.Errorf("%s is in the table twice", row[1])
		}
		fields[row[1]] = row[2]
	}
	return fields
}

// TestEveryFieldOfAMeshIsDocumented holds the table against the API.
func TestEveryFieldOfAMeshIsDocumented(t *testing.T) {
	table := documented(t)
	for _, field := range leaves(reflect.TypeFor[v1alpha1.MeshSpec](), "") {
		if _, ok := table[field]; !ok {
			t.Errorf("the table lacks %s, or says nothing of its default or an example", field)
		}
		delete(table, field)
	}
	for field := range table {
		t.Errorf("the table has %s, which is no field", field)
	}
}

// leaves are the paths of the fields of a type of this API; what is of another package, or a list, is one field.
func leaves(of reflect.Type, path string) []string {
	var list []string
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if path != "" {
			name = path + "." + name
		}
		kind := field.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		if kind.Kind() == reflect.Struct && kind.PkgPath() == of.PkgPath() {
			list = append(list, leaves(kind, name)...)
			continue
		}
		list = append(list, name)
	}
	return list
}

// TestDocumentedDefaultsAreTrue holds the table against the values that the operator applies.
func TestDocumentedDefaultsAreTrue(t *testing.T) {
	table := documented(t)
	short := func(duration fmt.Stringer) string { return strings.TrimSuffix(duration.String(), "0s") }
	for field, want := range map[string]string{
		"namespace":                                     names.DefaultNamespace,
		"controlPlane.replicas":                         fmt.Sprint(v1alpha1.DefaultReplicas),
		"controlPlane.autoscaling.minReplicas":          fmt.Sprint(v1alpha1.DefaultReplicas),
		"controlPlane.autoscaling.targetCPUUtilization": fmt.Sprint(v1alpha1.DefaultTargetCPUUtilization),
		"certificates.trustDomain":                      names.DefaultTrustDomain,
		"certificates.key.algorithm":                    string(v1alpha1.ECDSA),
		"certificates.key.size":                         fmt.Sprintf("%d, RSA %d", v1alpha1.DefaultECDSAKeySize, v1alpha1.DefaultRSAKeySize),
		"upgrade.gates.soak":                            short(v1alpha1.DefaultSoak),
		"upgrade.gates.timeout":                         short(v1alpha1.DefaultStepTimeout),
		"upgrade.gates.maxErrorRateIncrease":            v1alpha1.DefaultMaxErrorRateIncrease,
		"upgrade.gates.maxRestarts":                     fmt.Sprint(v1alpha1.DefaultMaxRestarts),
		"upgrade.dataPlane.maxUnavailable":              v1alpha1.DefaultMaxUnavailable,
		"upgrade.dataPlane.pauseBetween":                v1alpha1.DefaultPauseBetween.String(),
		"upgrade.dataPlane.restart":                     string(v1alpha1.RestartRolling),
		"upgrade.rollback":                              string(v1alpha1.RollbackAutomatic),
		"mode":                                          string(v1alpha1.ModeApply),
		"removal.sidecars":                              string(v1alpha1.SidecarsWait),
	} {
		if got := table[field]; got != want {
			t.Errorf("the table says that %s is %q by default, the operator %q", field, got, want)
		}
	}
}

// TestDocumentedMeshesAreMeshes reads the examples as strictly as the API server does.
func TestDocumentedMeshesAreMeshes(t *testing.T) {
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page(t), -1)
	if len(examples) == 0 {
		t.Fatal("the page has no examples")
	}
	for _, example := range examples {
		if err := yaml.UnmarshalStrict([]byte(example[1]), &v1alpha1.Mesh{}); err != nil {
			t.Errorf("%v:\n%s", err, example[1])
		}
	}
}
