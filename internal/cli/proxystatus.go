package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/report"
)

// connected is a sidecar and the replica that serves it.
type connected struct {
	report.Proxy
	State   string `json:"state"`
	Text    string `json:"text,omitempty"`
	Replica string `json:"replica"`
}

func (a *app) proxyStatusCommand() *cobra.Command {
	var meshName string
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show every sidecar, and whether it has its configuration",
		Long: `Shows every sidecar that is connected to the control plane: by which replica it is served, and whether it has acknowledged its
configuration (up to date), has not answered yet (behind), or refuses something, with its own words (-o wide). With -n, those of one
namespace. The exit code is 1 when a sidecar rejects something, or a replica cannot be asked.`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.proxyStatus(ctx, meshName, &form) }),
	}
	a.addMeshName(cmd, &meshName, "")
	form.AddTo(cmd.Flags())
	return cmd
}

func (a *app) proxyStatus(ctx context.Context, meshName string, form *output.Flag) error {
	c, m, err := a.open(ctx, meshName, form)
	if err != nil {
		return err
	}
	answers, err := a.reports(ctx, c, m).Proxies(ctx)
	if err != nil {
		return err
	}
	found, broken := []connected{}, false
	for _, answer := range answers {
		if answer.Err != nil {
			broken = true
			a.note("The sidecars of replica %s are unknown: %v", answer.Replica, answer.Err)
			continue
		}
		for _, p := range answer.Value.Proxies {
			if only := a.kube.OnlyNamespace(); only != "" && only != p.Namespace {
				continue
			}
			one := stateOf(p, answer.Replica)
			broken = broken || one.State == stateRejecting
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(x, y connected) int { return strings.Compare(x.Namespace+"/"+x.Pod, y.Namespace+"/"+y.Pod) })
	if err := form.Print(a.Out, a.proxyTable(found)); err != nil {
		return err
	}
	if broken {
		return silent{exitFailed}
	}
	return nil
}

// The states of a sidecar.
const (
	stateUpToDate  = "up to date"
	stateBehind    = "behind"
	stateRejecting = "rejecting"
)

// stateOf sums up how far a sidecar is with all types of resources.
func stateOf(p report.Proxy, replica string) connected {
	one := connected{Proxy: p, State: stateUpToDate, Replica: replica}
	var rejections, behind []string
	for name, t := range p.Types {
		if t.Rejection != "" {
			rejections = append(rejections, name+": "+t.Rejection)
		}
		if t.Behind != nil {
			behind = append(behind, name)
		}
	}
	slices.Sort(rejections)
	slices.Sort(behind)
	switch {
	case len(rejections) > 0:
		one.State, one.Text = stateRejecting, strings.Join(rejections, "; ")
	case len(behind) > 0:
		one.State, one.Text = stateBehind, "waiting for an answer about "+strings.Join(behind, ", ")
	}
	return one
}

func (a *app) proxyTable(found []connected) output.Result {
	result := output.Result{Data: map[string]any{"items": found}, Table: output.Table{Columns: append(
		output.Columns("NAMESPACE", "POD", "SERVICE ACCOUNT", "STATE", "CONNECTED", "REVISION", "REPLICA"), output.Column{Name: "TEXT", Wide: true})}}
	for _, p := range found {
		result.Names = append(result.Names, "pod/"+p.Pod)
		age := duration.HumanDuration(a.now().Sub(p.Connected).Truncate(time.Second))
		result.Table.Rows = append(result.Table.Rows, []string{p.Namespace, p.Pod, p.ServiceAccount, p.State, age, orUnknown(p.Revision), p.Replica, strings.ReplaceAll(fmt.Sprint(p.Text), "\n", " ")})
	}
	return result
}
