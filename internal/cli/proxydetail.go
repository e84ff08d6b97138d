package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// proxyDetail prints the status of one sidecar.
func (a *app) proxyDetail(ctx context.Context, meshName, namespace, pod string, form *output.Flag) error {
	parsed := parseName(namespace, pod)
	namespace, pod = parsed.Namespace, parsed.Name
	c, m, err := a.open(ctx, meshName, form)
	if err != nil {
		return err
	}
	all, complete, err := a.sidecars(ctx, c, m, namespace)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(p connected) bool { return p.Pod != pod })
	switch {
	case len(all) == 0 && !complete:
		return fmt.Errorf("sidecar of pod %s not found, but not all control plane replicas respond", pod)
	case len(all) == 0:
		return fmt.Errorf("no running pod %s with a sidecar found in %s: see `osm proxy status`", pod, formatPlace(namespace, m))
	case len(all) > 1:
		return fmt.Errorf("several namespaces have a pod %s (%s, %s): select one with -n", pod, all[0].Namespace, all[1].Namespace)
	}
	p := all[0]
	if form.ForPeople() {
		err = a.printDetail(p)
	} else {
		err = form.Print(a.Out, output.Result{Data: p, Names: []string{"pod/" + p.Pod}})
	}
	if err == nil && p.State != stateUpToDate && p.State != stateBehind {
		return silent{exitFailed}
	}
	return err
}

func formatPlace(namespace string, m mesh) string {
	if namespace == "" {
		return "mesh " + m.Name
	}
	return "namespace " + namespace
}

func (a *app) printDetail(p connected) error {
	line := func(title, format string, args ...any) { a.line("%-15s %s", title, fmt.Sprintf(format, args...)) }
	line("Pod", "%s/%s", p.Namespace, p.Pod)
	line("Account", "%s", p.ServiceAccount)
	line("State", "%s", p.State)
	if p.Replica != "" {
		line("Connected", "%s ago, to %s", a.since(p.Connected), p.Replica)
	}
	line("Revision", "%s", orUnknown(p.Revision))
	switch {
	case p.CertificateEnd == nil:
		line("Certificate", "none acknowledged")
	case !p.CertificateEnd.After(a.now()):
		line("Certificate", "expired at %s", p.CertificateEnd.Format(time.RFC3339))
	default:
		line("Certificate", "expires in %s, at %s", a.until(p.CertificateEnd), p.CertificateEnd.Format(time.RFC3339))
	}
	if len(p.Types) == 0 {
		return nil
	}
	a.line("")
	table := output.Table{Columns: output.Columns("TYPE", "STATE", "VERSION", "SENT", "ACCEPTED", "REJECTED")}
	for _, name := range slices.Sorted(maps.Keys(p.Types)) {
		t := p.Types[name]
		table.Rows = append(table.Rows, []string{
			name, a.stateOfType(t), orDash(t.Version), strconv.FormatUint(t.Sent, 10), strconv.FormatUint(t.Accepted, 10), strconv.FormatUint(t.Rejected, 10),
		})
	}
	if err := new(output.Flag).Print(a.Out, output.Result{Table: table}); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(p.Types)) {
		if text := p.Types[name].Rejection; text != "" {
			a.line("\n%s rejected: %s", name, text)
		}
	}
	return nil
}

func (a *app) stateOfType(t report.Type) string {
	switch {
	case t.Rejection != "":
		return stateRejecting
	case t.Behind != nil:
		return "behind for " + a.since(*t.Behind)
	}
	return stateUpToDate
}
