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
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// readPage reads the reference of the Mesh fields.
func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/mesh.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documentedDefaults returns the defaults in the table, by field.
func documentedDefaults(t *testing.T) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]+) \\| [^|]+ \\|$").FindAllStringSubmatch(readPage(t), -1) {
		if _, twice := fields[row[1]]; twice {
			t.Errorf("the table has %s twice", row[1])
		}
		fields[row[1]] = row[2]
	}
	return fields
}

// The table in docs/mesh.md lists every field.
func TestEveryFieldOfAMeshIsDocumented(t *testing.T) {
	table := documentedDefaults(t)
	for _, field := range leafFields(reflect.TypeFor[v1alpha1.MeshSpec](), "") {
		if _, ok := table[field]; !ok {
			t.Errorf("the table lacks %s, its default or an example", field)
		}
		delete(table, field)
	}
	for field := range table {
		t.Errorf("the table has %s, which is not a field", field)
	}
}

// leafFields returns the paths of the fields of an API type. A list, or a type of another package, is one field.
func leafFields(of reflect.Type, path string) []string {
	var list []string
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		name = strings.Trim(path+"."+name, ".")
		kind := field.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		if kind.Kind() == reflect.Struct && kind.PkgPath() == of.PkgPath() {
			list = append(list, leafFields(kind, name)...)
			continue
		}
		list = append(list, name)
	}
	return list
}

// The documented defaults are those that the operator applies.
func TestDocumentedDefaultsAreCorrect(t *testing.T) {
	table := documentedDefaults(t)
	short := func(duration fmt.Stringer) string { return strings.TrimSuffix(duration.String(), "0s") }
	for field, want := range map[string]string{
		"namespace":                                     names.DefaultNamespace,
		"controlPlane.controller.replicas":              fmt.Sprint(v1alpha1.DefaultReplicas),
		"controlPlane.injector.autoscaling.minReplicas": fmt.Sprint(v1alpha1.DefaultReplicas),
		"controlPlane.controller.autoscaling.targetCPUUtilizationPercentage": fmt.Sprint(v1alpha1.DefaultTargetCPUUtilizationPercentage),
		"certificates.trustDomain":           names.DefaultTrustDomain,
		"certificates.key.algorithm":         string(v1alpha1.ECDSA),
		"certificates.key.size":              fmt.Sprintf("%d, RSA %d", v1alpha1.DefaultECDSAKeySize, v1alpha1.DefaultRSAKeySize),
		"upgrade.gates.soak":                 short(v1alpha1.DefaultSoak),
		"upgrade.gates.timeout":              short(v1alpha1.DefaultStepTimeout),
		"upgrade.gates.maxErrorRateIncrease": string(v1alpha1.DefaultMaxErrorRateIncrease),
		"upgrade.gates.maxDisconnected":      v1alpha1.DefaultMaxDisconnected,
		"upgrade.gates.maxRestarts":          fmt.Sprint(v1alpha1.DefaultMaxRestarts),
		"upgrade.dataPlane.maxUnavailable":   v1alpha1.DefaultMaxUnavailable,
		"upgrade.dataPlane.pauseBetween":     v1alpha1.DefaultPauseBetween.String(),
		"upgrade.dataPlane.pull.mode":        string(v1alpha1.DefaultPullMode),
		"upgrade.dataPlane.pull.parallelism": fmt.Sprint(v1alpha1.DefaultPullParallelism),
		"upgrade.dataPlane.restart":          string(v1alpha1.RestartRolling),
		"upgrade.strategy.type":              string(v1alpha1.DefaultStrategy),
		"upgrade.rollback":                   string(v1alpha1.RollbackAutomatic),
		"mode":                               string(v1alpha1.ModeApply),
		"removal.sidecars":                   string(v1alpha1.SidecarsWait),
	} {
		if got := table[field]; got != want {
			t.Errorf("the table has the default %[2]q for %[1]s, the operator %[3]q", field, got, want)
		}
	}
}

// The examples decode without unknown fields.
func TestDocumentedMeshesAreValid(t *testing.T) {
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readPage(t), -1)
	if len(examples) == 0 {
		t.Fatal("the page has no examples")
	}
	for _, example := range examples {
		if err := yaml.UnmarshalStrict([]byte(example[1]), &v1alpha1.Mesh{}); err != nil {
			t.Errorf("%v:\n%s", err, example[1])
		}
	}
}
