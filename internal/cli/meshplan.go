package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
)

func (a *app) meshPlanCommand() *cobra.Command {
	return a.forMesh(&cobra.Command{
		Use:   "plan",
		Short: "Show the plan of a Mesh in mode Plan",
		Long: `Show the plan in the status of a Mesh with spec.mode Plan. It has the objects that the operator would create, update, repair and
delete. It also has the workloads that the operator would restart in waves or skip, the sidecars whose configuration would change,
and the flows that would be newly denied or allowed. The operator changes nothing until spec.mode is Apply.

The exit code is 0 if nothing would change, 2 if something would change, and 1 on errors or if the plan cannot be applied.`,
		Example: `  kubectl patch mesh osm --type merge -p '{"spec":{"mode":"Plan","version":"v0.4.0"}}'
  kubectl wait mesh osm --for=condition=Planned
  osm mesh plan`,
	}, a.meshPlan)
}

func (a *app) meshPlan(ctx context.Context, c client.Client, m mesh, form *output.Flag, _ []string) error {
	plan, err := planIn(ctx, c, m)
	if err != nil {
		return err
	}
	text := func(w io.Writer) error {
		printMeshPlan(w, plan)
		return nil
	}
	o := plan.Objects
	err = form.Print(a.Out, output.Result{Data: plan, Names: []string{meshResource + m.Name}, Text: text})
	err = exitIf(plan.Problem != "", exitFailed, err)
	return exitIf(o.Create+o.Update+o.Repair+o.Delete+plan.Workloads.Restart > 0, exitNo, err)
}

// planIn returns the plan in the status of a mesh.
func planIn(ctx context.Context, c client.Client, m mesh) (*v1alpha1.PlanStatus, error) {
	object := &v1alpha1.Mesh{}
	if !m.Declared {
		return nil, fmt.Errorf("mesh %s has no Mesh object, so it has no plan", m.Name)
	}
	if err := c.Get(ctx, client.ObjectKey{Name: m.Name}, object); err != nil {
		return nil, err
	}
	plan := object.Status.Plan
	switch {
	case object.Spec.Mode == nil || *object.Spec.Mode != v1alpha1.ModePlan:
		return nil, fmt.Errorf(`mesh %s is not in mode Plan: run kubectl patch mesh %s --type merge -p '{"spec":{"mode":"Plan"}}'; the operator then stops changing it`, m.Name, m.Name)
	case plan == nil || plan.Generation != object.Generation:
		return nil, fmt.Errorf("the plan of mesh %s is out of date: run kubectl wait mesh %s --for=condition=Planned and try again", m.Name, m.Name)
	}
	return plan, nil
}

// planMarks are the diff markers of planned objects.
var planMarks = map[v1alpha1.PlanVerb]string{v1alpha1.VerbCreate: "+", v1alpha1.VerbUpdate: "~", v1alpha1.VerbRepair: "!", v1alpha1.VerbDelete: "-"}

// printMeshPlan prints a plan as text.
func printMeshPlan(w io.Writer, p *v1alpha1.PlanStatus) {
	fmt.Fprintf(w, "Plan %s: %s.\n", p.Hash, p.Summary)
	title := func(format string, args ...any) { fmt.Fprintf(w, "\n"+format+"\n\n", args...) }
	more := func(all int32, shown int) {
		if n := int(all) - shown; n > 0 {
			fmt.Fprintf(w, "  and %d more\n", n)
		}
	}
	o := p.Objects
	if len(o.Changes) > 0 {
		title("Objects: %d to create (+), %d to update (~), %d to repair (!), %d to delete (-), %d unchanged", o.Create, o.Update, o.Repair, o.Delete, o.Unchanged)
		for _, c := range o.Changes {
			fmt.Fprintf(w, "  %s %s\n", planMarks[c.Verb], c.Object)
			printFields(w, c)
		}
		more(o.Create+o.Update+o.Repair+o.Delete, len(o.Changes))
	}
	if load := p.Workloads; load.Restart > 0 {
		title("Workloads: %d to restart, in %d waves", load.Restart, load.Waves)
		for _, r := range load.Restarts {
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  wave %d  %s  %s", r.Wave, r.Workload, r.Warning), " "))
		}
		more(load.Restart, len(load.Restarts))
	}
	if load := p.Workloads; load.SkippedTotal > 0 {
		title("Skipped workloads: %d", load.SkippedTotal)
		for _, n := range load.Skipped {
			fmt.Fprintf(w, "  %s  %s\n", n.Workload, n.Reason)
		}
		more(load.SkippedTotal, len(load.Skipped))
	}
	printPlannedTraffic(w, p, title, more)
	if len(p.Unavailable) > 0 {
		title("Unavailable:")
		for _, sentence := range p.Unavailable {
			fmt.Fprintf(w, "  %s\n", sentence)
		}
	}
}

func printFields(w io.Writer, c v1alpha1.PlannedObject) {
	fields := strings.Join(c.Fields, ", ")
	if c.MoreFields > 0 {
		fields += fmt.Sprintf(" and %d more", c.MoreFields)
	}
	if fields != "" {
		fmt.Fprintf(w, "      %s\n", fields)
	}
}

// printPlannedTraffic prints the sidecars whose configuration would change and the flows whose verdict would change.
func printPlannedTraffic(w io.Writer, p *v1alpha1.PlanStatus, title func(string, ...any), more func(int32, int)) {
	if proxies := p.Proxies; proxies != nil && proxies.Changed > 0 {
		title("Sidecars: configuration of %d of %d would change", proxies.Changed, proxies.Total)
		for _, one := range proxies.Examples {
			fmt.Fprintf(w, "  %s (%d)", one.Workload, one.Sidecars)
			for _, part := range []struct{ what, counts string }{{"added", one.Added}, {"changed", one.Changed}, {"removed", one.Removed}} {
				if part.counts != "" {
					fmt.Fprintf(w, "  %s: %s", part.what, part.counts)
				}
			}
			fmt.Fprintln(w)
		}
	}
	if flows := p.Flows; flows != nil && flows.Allowed+flows.Denied > 0 {
		title("Flows: %d newly denied, %d newly allowed", flows.Denied, flows.Allowed)
		for _, f := range flows.Changes {
			fmt.Fprintf(w, "  %-8s %s -> %s  %s\n", strings.ToLower(f.Verdict), f.From, f.To, f.Request)
			if f.By != "" {
				fmt.Fprintf(w, "           by: %s\n", f.By)
			}
		}
		more(flows.Allowed+flows.Denied, len(flows.Changes))
	}
}
