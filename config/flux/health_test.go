package flux

import (
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"sigs.k8s.io/yaml"
)

// TestHealthOfAMesh evaluates the expressions of the Kustomization as Flux does: first those of a failure.
func TestHealthOfAMesh(t *testing.T) {
	check := readCheck(t)
	for name, test := range map[string]struct{ conditions, want string }{
		"no conditions":                        {"", "InProgress"},
		"ready":                                {"{type: Ready, status: 'True'}", "Current"},
		"installing":                           {"{type: Ready, status: Unknown}, {type: Reconciling, status: 'True'}", "InProgress"},
		"failing":                              {"{type: Ready, status: 'False'}", "InProgress"},
		"needs a fix":                          {"{type: Ready, status: 'True'}, {type: Stalled, status: 'True'}", "Failed"},
		"paused":                               {"{type: Ready, status: Unknown}, {type: Paused, status: 'True'}", "Current"},
		"not paused":                           {"{type: Ready, status: Unknown}, {type: Paused, status: 'False'}", "InProgress"},
		"an upgrade begins":                    {"{type: Ready, status: Unknown}, {type: Upgrading, status: 'True', observedGeneration: 2}, {type: ControlPlaneReady, status: Unknown, observedGeneration: 2}", "InProgress"},
		"a wave of an upgrade":                 {"{type: Ready, status: Unknown}, {type: Upgrading, status: 'True', observedGeneration: 2}, {type: ControlPlaneReady, status: 'True', observedGeneration: 2}", "Current"},
		"the conditions of an earlier upgrade": {"{type: Ready, status: Unknown}, {type: Upgrading, status: 'True', observedGeneration: 1}, {type: ControlPlaneReady, status: 'True', observedGeneration: 2}", "InProgress"},
		"a control plane without an upgrade":   {"{type: Ready, status: Unknown}, {type: ControlPlaneReady, status: 'True', observedGeneration: 2}", "InProgress"},
	} {
		t.Run(name, func(t *testing.T) {
			mesh := map[string]any{}
			text := "{metadata: {generation: 2}, status: {conditions: [" + test.conditions + "]}}"
			if test.conditions == "" {
				text = "{metadata: {generation: 2}, status: {}}"
			}
			if err := yaml.Unmarshal([]byte(text), &mesh); err != nil {
				t.Fatal(err)
			}
			got := "InProgress"
			switch {
			case isTrue(t, check.Failed, mesh):
				got = "Failed"
			case isTrue(t, check.Current, mesh):
				got = "Current"
			}
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// healthCheck is an entry of healthCheckExprs.
type healthCheck struct {
	APIVersion, Kind string
	Failed, Current  string
}

// readCheck returns the health check of the only Kustomization that has one.
func readCheck(t *testing.T) healthCheck {
	t.Helper()
	for document := range strings.SplitSeq(Sync, "\n---\n") {
		var object struct {
			Spec struct{ HealthCheckExprs []healthCheck }
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		if checks := object.Spec.HealthCheckExprs; len(checks) == 1 && checks[0].Kind == "Mesh" {
			return checks[0]
		}
	}
	t.Fatal("no Kustomization has a health check of a Mesh")
	return healthCheck{}
}

// isTrue evaluates an expression with the fields of an object as variables.
func isTrue(t *testing.T, expression string, object map[string]any) bool {
	t.Helper()
	env, err := cel.NewEnv(cel.OptionalTypes(), cel.Variable("metadata", cel.DynType), cel.Variable("status", cel.DynType))
	if err != nil {
		t.Fatal(err)
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	program, err := env.Program(ast)
	if err != nil {
		t.Fatal(err)
	}
	value, _, err := program.Eval(object)
	if err != nil {
		t.Fatal(err)
	}
	result, isBool := value.Value().(bool)
	return isBool && result
}
