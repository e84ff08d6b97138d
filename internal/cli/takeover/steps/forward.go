package steps

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Forward begins a takeover or goes on with one, up to a step.
func (s *Session) Forward(ctx context.Context, o Options) error {
	last, err := parseStep(o.To)
	if err != nil {
		return err
	}
	mesh, err := s.meshOf(ctx, s.From)
	if err != nil {
		return err
	}
	if mesh == nil {
		if mesh, err = s.beginTakeover(ctx, o); err != nil || mesh == nil {
			return err
		}
	}
	for i, step := range takeover.Steps() {
		if i > last {
			return nil
		}
		proceed, err := s.prepareStep(ctx, mesh, step, o)
		if err == nil && proceed {
			proceed, err = s.takeStep(ctx, mesh, step, o)
		}
		if err != nil || !proceed {
			return err
		}
	}
	return s.endTakeover(ctx, mesh)
}

// parseStep returns the index of a step.
func parseStep(text string) (int, error) {
	var known []string
	for i, step := range takeover.Steps() {
		if strings.EqualFold(string(step), text) {
			return i, nil
		}
		known = append(known, strings.ToLower(string(step)))
	}
	return 0, fmt.Errorf("invalid --to %q: must be one of %s", text, strings.Join(known, ", "))
}

// meshOf returns the Mesh that takes over from an Open Service Mesh, or nil. from is its namespace, empty for any.
func (s *Session) meshOf(ctx context.Context, from string) (*v1alpha1.Mesh, error) {
	var all v1alpha1.MeshList
	if err := s.Client.List(ctx, &all); err != nil {
		return nil, s.Sentence(err)
	}
	var found *v1alpha1.Mesh
	for i := range all.Items {
		source := declaredTakeover(&all.Items[i]).From
		if source == "" || from != "" && source != from {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("the Meshes %s and %s take over from Open Service Meshes: name the namespace of one of those with --from", found.Name, all.Items[i].Name)
		}
		found = &all.Items[i]
	}
	return found, nil
}

// declaredTakeover returns what the spec of a Mesh declares about a takeover; the zero value for none.
func declaredTakeover(m *v1alpha1.Mesh) takeover.Progress {
	if t := takeover.Of(m); t != nil && !t.IsWithdrawn {
		return *t
	}
	return takeover.Progress{}
}

// beginTakeover shows the plan and creates the Mesh. It returns nil if the user does not want it.
func (s *Session) beginTakeover(ctx context.Context, o Options) (*v1alpha1.Mesh, error) {
	report, err := s.Survey(ctx)
	if err != nil {
		return nil, err
	}
	if err := report.Print(s.Notes); err != nil {
		return nil, err
	}
	if report.Blocked() {
		return nil, errors.New("the takeover cannot begin: change what is in the way, and see `osm migrate plan`")
	}
	into := *report.Mesh.Spec.Namespace
	yes, err := s.Confirm(o.Yes, fmt.Sprintf("Create Mesh %s in namespace %s, next to the Open Service Mesh in %s?", report.Mesh.Name, into, report.From.Namespace))
	if err != nil || !yes {
		return nil, err
	}
	if err := s.Client.Create(ctx, report.Mesh); err != nil {
		return nil, fmt.Errorf("create Mesh %s: %w", report.Mesh.Name, s.Sentence(err))
	}
	return report.Mesh, nil
}

// stepQuestions are asked before a step.
var stepQuestions = map[v1alpha1.AdoptionStep]string{
	v1alpha1.AdoptionInjecting:  "Let Mesh %s inject sidecars into new pods, instead of the Open Service Mesh?",
	v1alpha1.AdoptionRestarting: "Let Mesh %s restart the workloads with sidecars of the Open Service Mesh, in waves?",
	v1alpha1.AdoptionComplete:   "Complete the takeover of Mesh %s? It cannot be taken back",
}

// prepareStep does what a step needs. It returns false if the user does not want it.
func (s *Session) prepareStep(ctx context.Context, m *v1alpha1.Mesh, step v1alpha1.AdoptionStep, o Options) (bool, error) {
	if step != v1alpha1.AdoptionRestarting {
		return true, nil
	}
	return s.openBridge(ctx, m, o)
}

// takeStep declares a step, unless the Mesh is at it or beyond, and waits until it is in effect. It returns false if the user does not want it.
func (s *Session) takeStep(ctx context.Context, m *v1alpha1.Mesh, step v1alpha1.AdoptionStep, o Options) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	declared, _ := parseStep(string(declaredTakeover(m).Declared))
	desired, _ := parseStep(string(step))
	if declared < desired {
		if step == v1alpha1.AdoptionComplete {
			if err := s.awaitRemoval(limited, m); err != nil {
				return false, err
			}
		}
		yes, err := s.Confirm(o.Yes, fmt.Sprintf(stepQuestions[step], m.Name))
		if err != nil || !yes {
			return false, err
		}
		if err := s.declare(ctx, m, map[string]any{"step": step}); err != nil {
			return false, s.Sentence(err)
		}
	}
	if declared > desired {
		return true, nil
	}
	if err := s.awaitStep(limited, m, step); err != nil {
		return false, fmt.Errorf("step %s of Mesh %s: %w. Repeat `osm migrate run` to wait on, or go back with `osm migrate rollback`", step, m.Name, err)
	}
	s.Line("Mesh %s: step %s is in effect (%s)", m.Name, step, s.Elapsed())
	return true, nil
}

// declare changes fields of spec.adoption.
func (s *Session) declare(ctx context.Context, m *v1alpha1.Mesh, fields map[string]any) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"adoption": fields}})
	if err != nil {
		return err
	}
	return s.Client.Patch(ctx, m, client.RawPatch(types.MergePatchType, patch))
}

// awaitStep waits until a step is in effect, and until no restart is outstanding if it restarts workloads.
func (s *Session) awaitStep(ctx context.Context, m *v1alpha1.Mesh, step v1alpha1.AdoptionStep) error {
	last, err := s.await(ctx, m, func() (bool, string) { return stepState(m, step) })
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("not in effect %s: %s", untilWhen(ctx), last)
	}
	return err
}

// untilWhen describes the end of a wait: its time is over, or the user has interrupted it.
func untilWhen(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.Canceled) {
		return "yet"
	}
	return "in time"
}

// await reads a Mesh until state returns true. state also describes what it waits for, or returns "" if that is not known. The last description is
// returned.
func (s *Session) await(ctx context.Context, m *v1alpha1.Mesh, state func() (done bool, text string)) (last string, err error) {
	last = "the operator has not reconciled the Mesh: check that it runs (kubectl get pods -A -l app=osm-operator)"
	err = wait.PollUntilContextCancel(ctx, s.PollInterval, true, func(ctx context.Context) (bool, error) {
		if err := s.Client.Get(ctx, client.ObjectKeyFromObject(m), m); err != nil {
			return false, err
		}
		done, text := state()
		if text != "" {
			last = text
		}
		s.Report("%s", last)
		return done, nil
	})
	return last, err
}

// stepState returns whether a step is in effect, and what the operator says about it.
func stepState(m *v1alpha1.Mesh, step v1alpha1.AdoptionStep) (done bool, text string) {
	condition := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionAdopting)
	if condition == nil || condition.ObservedGeneration != m.Generation || m.Status.Adoption == nil {
		return false, ""
	}
	text = condition.Reason + ": " + condition.Message
	if m.Status.Adoption.Step != string(step) || condition.Reason != string(step) {
		return false, text
	}
	if n := int(m.Status.Adoption.EarlierSidecars); step == v1alpha1.AdoptionRestarting && n > 0 {
		return false, fmt.Sprintf("%s of the Open Service Mesh left: %s", output.Count(n, "sidecar"), text)
	}
	return true, text
}

// awaitRemoval waits until the Open Service Mesh is removed.
func (s *Session) awaitRemoval(ctx context.Context, m *v1alpha1.Mesh) error {
	from, told := declaredTakeover(m).From, false
	err := wait.PollUntilContextCancel(ctx, s.PollInterval, true, func(ctx context.Context) (bool, error) {
		running, err := takeover.ReadRunning(ctx, s.Client, from)
		if err != nil || !running.Exists {
			return err == nil, err
		}
		if !told {
			told = true
			s.Note("No workload uses the Open Service Mesh in namespace %s any more. Remove it: %s", from, running.Removal())
		}
		s.Report("waiting until the Open Service Mesh in namespace %s is removed", from)
		return false, nil
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("the Open Service Mesh in namespace %s was not removed %s: repeat `osm migrate run` when it is", from, untilWhen(ctx))
	}
	return err
}

// endTakeover removes spec.adoption.
func (s *Session) endTakeover(ctx context.Context, m *v1alpha1.Mesh) error {
	err := s.Client.Patch(ctx, m, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"adoption":null}}`)))
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove spec.adoption of Mesh %s: %w", m.Name, s.Sentence(err))
	}
	s.Line("The takeover is complete: Mesh %s runs in namespace %s", m.Name, ptr.Deref(m.Spec.Namespace, names.DefaultNamespace))
	return nil
}
