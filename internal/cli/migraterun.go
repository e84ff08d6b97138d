package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
)

// migrateRunOptions are the flags of the migrate run command.
type migrateRunOptions struct {
	migration
	to      string
	yes     bool
	timeout time.Duration
	// bridge is how long the Mesh serves sidecars of the Open Service Mesh; 0 for not at all.
	bridge time.Duration
}

func (a *app) migrateRunCommand() *cobra.Command {
	var o migrateRunOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Take over from a running Open Service Mesh, step by step",
		Long: `Create the Mesh of a takeover, and set its step (spec.adoption.step) to the next one as soon as the current one is in effect. The
command asks before each step. It can be interrupted and repeated: it goes on where the Mesh is.

Before the last step it waits until you have removed the Open Service Mesh with the printed command. The operator never does. Then it
completes the takeover and removes spec.adoption from the Mesh.

With --bridge, the Mesh also serves the sidecars of the Open Service Mesh, from before the restarts until the Open Service Mesh is removed
or the time is over: those of bare pods, of Jobs, and of callers that have not restarted yet. They then know at once when a pod that
they call restarts. The command leads the Service osm-controller to the Mesh and restarts the Deployment osm-controller of the Open
Service Mesh.`,
		Example: `  osm migrate run
  osm migrate run --bridge 72h
  osm migrate run --to injecting
  osm migrate run --yes --timeout 2h`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.migrateRun(ctx, o) }),
	}
	addMigration(cmd, &o.migration)
	cmd.Flags().StringVar(&o.to, "to", "complete", "last step: prepared, injecting, restarting or complete")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask before each step")
	cmd.Flags().DurationVar(&o.timeout, "timeout", migrateTimeout, "time to wait for each step")
	cmd.Flags().DurationVar(&o.bridge, "bridge", 0, "time in which the Mesh also serves the sidecars of the Open Service Mesh, such as 72h (default: it does not)")
	return cmd
}

func (a *app) migrateRun(ctx context.Context, o migrateRunOptions) error {
	last, err := parseStep(o.to)
	if err != nil {
		return err
	}
	if err := checkBridge(o.bridge); err != nil {
		return err
	}
	c, err := a.kube.Client()
	if err != nil {
		return err
	}
	return a.takeOver(ctx, c, o, last)
}

// takeOver begins a takeover or goes on with one, up to a step.
func (a *app) takeOver(ctx context.Context, c client.Client, o migrateRunOptions, last int) error {
	mesh, err := a.adoptingMesh(ctx, c, o.from)
	if err != nil {
		return err
	}
	answers := bufio.NewReader(a.In)
	if mesh == nil {
		if mesh, err = a.beginTakeover(ctx, c, o, answers); err != nil || mesh == nil {
			return err
		}
	}
	for i, step := range takeover.Steps() {
		if i > last {
			return nil
		}
		proceed, err := a.prepareStep(ctx, c, mesh, step, o, answers)
		if err == nil && proceed {
			proceed, err = a.takeStep(ctx, c, mesh, step, o, answers)
		}
		if err != nil || !proceed {
			return err
		}
	}
	return a.endTakeover(ctx, c, mesh)
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

// adoptingMesh returns the Mesh that takes over from an Open Service Mesh, or nil. from is its namespace, empty for any.
func (a *app) adoptingMesh(ctx context.Context, c client.Client, from string) (*v1alpha1.Mesh, error) {
	var all v1alpha1.MeshList
	if err := c.List(ctx, &all); err != nil {
		return nil, a.kube.Sentence(err)
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
func (a *app) beginTakeover(ctx context.Context, c client.Client, o migrateRunOptions, answers *bufio.Reader) (*v1alpha1.Mesh, error) {
	report, err := a.survey(ctx, c, o.migration)
	if err != nil {
		return nil, err
	}
	if err := report.Print(a.Err); err != nil {
		return nil, err
	}
	if report.Blocked() {
		return nil, errors.New("the takeover cannot begin: change what is in the way, and see `osm migrate plan`")
	}
	into := *report.Mesh.Spec.Namespace
	yes, err := a.confirm(answers, o.yes, "--yes", fmt.Sprintf("Create Mesh %s in namespace %s, next to the Open Service Mesh in %s?", report.Mesh.Name, into, report.From.Namespace))
	if err != nil || !yes {
		return nil, err
	}
	if err := c.Create(ctx, report.Mesh, fieldOwner); err != nil {
		return nil, fmt.Errorf("create Mesh %s: %w", report.Mesh.Name, a.kube.Sentence(err))
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
func (a *app) prepareStep(ctx context.Context, c client.Client, m *v1alpha1.Mesh, step v1alpha1.AdoptionStep, o migrateRunOptions,
	answers *bufio.Reader,
) (bool, error) {
	if step != v1alpha1.AdoptionRestarting {
		return true, nil
	}
	return a.openBridge(ctx, c, m, o, answers)
}

// takeStep declares a step, unless the Mesh is at it or beyond, and waits until it is in effect. It returns false if the user does not want it.
func (a *app) takeStep(ctx context.Context, c client.Client, m *v1alpha1.Mesh, step v1alpha1.AdoptionStep, o migrateRunOptions,
	answers *bufio.Reader,
) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	declared, _ := parseStep(string(declaredTakeover(m).Declared))
	desired, _ := parseStep(string(step))
	if declared < desired {
		if step == v1alpha1.AdoptionComplete {
			if err := a.awaitRemoval(limited, c, m); err != nil {
				return false, err
			}
		}
		yes, err := a.confirm(answers, o.yes, "--yes", fmt.Sprintf(stepQuestions[step], m.Name))
		if err != nil || !yes {
			return false, err
		}
		if err := patchAdoption(ctx, c, m, map[string]any{"step": step}); err != nil {
			return false, a.kube.Sentence(err)
		}
	}
	if declared > desired {
		return true, nil
	}
	if err := a.awaitStep(limited, c, m, step); err != nil {
		return false, fmt.Errorf("step %s of Mesh %s: %w. Repeat `osm migrate run` to wait on, or go back with `osm migrate rollback`", step, m.Name, err)
	}
	a.line("Mesh %s: step %s is in effect (%s)", m.Name, step, a.progress().elapsed())
	return true, nil
}

// patchAdoption changes fields of spec.adoption.
func patchAdoption(ctx context.Context, c client.Client, m *v1alpha1.Mesh, fields map[string]any) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"adoption": fields}})
	if err != nil {
		return err
	}
	return c.Patch(ctx, m, client.RawPatch(types.MergePatchType, patch), fieldOwner)
}

// awaitStep waits until a step is in effect, and until no restart is outstanding if it restarts workloads.
func (a *app) awaitStep(ctx context.Context, c client.Client, m *v1alpha1.Mesh, step v1alpha1.AdoptionStep) error {
	last, err := a.awaitAdoption(ctx, c, m, func() (bool, string) { return stepState(m, step) })
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

// awaitAdoption reads a Mesh until state returns true. state also describes what it waits for, or returns "" if that is not known. The last description is
// returned.
func (a *app) awaitAdoption(ctx context.Context, c client.Client, m *v1alpha1.Mesh, state func() (done bool, text string)) (last string, err error) {
	last = "the operator has not reconciled the Mesh: check that it runs (kubectl get pods -A -l app=osm-operator)"
	err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(m), m); err != nil {
			return false, err
		}
		done, text := state()
		if text != "" {
			last = text
		}
		a.progress().report("%s", last)
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
func (a *app) awaitRemoval(ctx context.Context, c client.Client, m *v1alpha1.Mesh) error {
	from, told := declaredTakeover(m).From, false
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		running, err := takeover.ReadRunning(ctx, c, from)
		if err != nil || !running.Exists {
			return err == nil, err
		}
		if !told {
			told = true
			a.note("No workload uses the Open Service Mesh in namespace %s any more. Remove it: %s", from, running.Removal())
		}
		a.progress().report("waiting until the Open Service Mesh in namespace %s is removed", from)
		return false, nil
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("the Open Service Mesh in namespace %s was not removed %s: repeat `osm migrate run` when it is", from, untilWhen(ctx))
	}
	return err
}

// endTakeover removes spec.adoption.
func (a *app) endTakeover(ctx context.Context, c client.Client, m *v1alpha1.Mesh) error {
	err := c.Patch(ctx, m, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"adoption":null}}`)), fieldOwner)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove spec.adoption of Mesh %s: %w", m.Name, a.kube.Sentence(err))
	}
	a.line("The takeover is complete: Mesh %s runs in namespace %s", m.Name, namespaceOf(m))
	return nil
}
