package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// liveTimeout bounds the requests to the control plane. The explanation is printed without them if they time out.
const liveTimeout = 3 * time.Second

// live returns how many sidecars have acknowledged the policies that allow a call. For a denied call, it returns how many of the
// involved sidecars are up to date. A call that lacks more than policies has no acknowledgements.
func (a *app) live(ctx context.Context, c client.Client, m mesh, answer *explain.Answer) []explain.Live {
	if len(answer.Missing) > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	a.progress().report("reading the sidecar status of mesh %s", m.Name)
	return liveAnswer(ctx, c, a.reports(ctx, c, m), answer)
}

// objectReports provides how many sidecars have acknowledged a policy, for each replica.
type objectReports interface {
	Object(ctx context.Context, kind, namespace, name string) ([]reportclient.Answer[report.Object], error)
}

// proxyReports provides the sidecars of each replica.
type proxyReports interface {
	Proxies(ctx context.Context) ([]reportclient.Answer[report.Proxies], error)
}

// liveAnswer returns the acknowledgements for an answer.
func liveAnswer(ctx context.Context, c client.Client, replicas interface {
	objectReports
	proxyReports
}, answer *explain.Answer,
) []explain.Live {
	if len(answer.Policies) == 0 {
		if len(answer.Parties) == 0 {
			return nil
		}
		return []explain.Live{liveParties(ctx, replicas, answer.Parties)}
	}
	var all []explain.Live
	for _, policy := range answer.Policies {
		all = append(all, livePolicy(ctx, c, replicas, policy))
	}
	// A policy counts all its sidecars. Those of the destination do not show whether the caller has one.
	if caller := liveParties(ctx, replicas, answer.Parties[:min(len(answer.Parties), 1)]); len(answer.Parties) > 0 && caller.Sidecars == 0 && caller.Unknown == "" {
		all = append(all, caller)
	}
	return all
}

// livePolicy returns the acknowledgements of the TrafficTarget "<namespace>/<name>".
func livePolicy(ctx context.Context, c client.Client, replicas objectReports, policy string) explain.Live {
	const kind = "TrafficTarget"
	l := explain.Live{Of: kind + " " + policy}
	namespace, name, _ := strings.Cut(policy, "/")
	generation, err := generationOf(ctx, c, policyRef{kind, namespace, name})
	if err != nil {
		l.Unknown = err.Error()
		return l
	}
	answers, err := replicas.Object(ctx, kind, namespace, name)
	if err != nil {
		l.Unknown = err.Error()
		return l
	}
	sum, err := reportclient.Combine(answers, generation)
	if err != nil {
		l.Unknown = err.Error()
		return l
	}
	l.Sidecars, l.Acknowledged, l.Rejected = sum.Sidecars, sum.Acknowledged, sum.Rejected
	if len(sum.Outdated) > 0 {
		l.Unknown = "not yet observed by " + strings.Join(sum.Outdated, ", ")
	}
	if len(sum.Unknown) > 0 {
		l.Unknown = firstError(answers).Error()
	}
	return l
}

// liveParties returns how many sidecars of the given service accounts are up to date.
func liveParties(ctx context.Context, replicas proxyReports, parties []identity.ServiceAccount) explain.Live {
	var accounts []string
	for _, sa := range parties {
		accounts = append(accounts, sa.String())
	}
	l := explain.Live{Of: "configuration of " + strings.Join(accounts, ", ")}
	answers, err := replicas.Proxies(ctx)
	if err != nil {
		l.Unknown = err.Error()
		return l
	}
	for _, answer := range answers {
		if answer.Err != nil {
			l.Unknown = answer.Err.Error()
			continue
		}
		for _, p := range answer.Value.Proxies {
			if !slices.Contains(parties, identity.ServiceAccount{Namespace: p.Namespace, Name: p.ServiceAccount}) {
				continue
			}
			counts := p.Counts()
			l.Sidecars, l.Acknowledged, l.Rejected = l.Sidecars+1, l.Acknowledged+counts.UpToDate, l.Rejected+counts.Rejecting
		}
	}
	return l
}

// firstError returns the first error of a replica.
func firstError(answers []reportclient.Answer[report.Object]) error {
	for _, answer := range answers {
		if answer.Err != nil {
			return answer.Err
		}
	}
	return fmt.Errorf("a control plane replica does not respond")
}
