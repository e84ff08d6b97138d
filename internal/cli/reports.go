package cli

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// reports returns a client for the report API of all control plane replicas of a mesh. It uses forwarded ports that stay open until
// ctx ends.
func (a *app) reports(ctx context.Context, c client.Client, m mesh) *reportclient.Client {
	ports := newForwards(func(pod string) (string, error) { return a.kube.Forward(ctx, m.Namespace, pod, 0, names.ReportPort) })
	return reportclient.New(reportclient.Config{
		Replicas:    reportclient.ControlPlane{Mesh: m.Name, Namespace: m.Namespace}.Replicas(c),
		Token:       a.reportToken(ctx, m),
		Roots:       func() ([]byte, error) { return roots(ctx, c, m) },
		TrustDomain: a.trustDomain(ctx, c, m),
		Dial: func(ctx context.Context, replica reportclient.Replica) (net.Conn, error) {
			return ports.dial(ctx, replica.Name)
		},
	})
}

// reportToken returns a function that requests a token for the report API of a mesh, once. The account of such a token may read reports and
// nothing else. The user's own token is never sent.
func (a *app) reportToken(ctx context.Context, m mesh) func(context.Context) (string, error) {
	request := sync.OnceValues(func() (string, error) {
		return a.kube.RequestToken(ctx, m.Namespace, names.ReportReader, names.ReportAudience(m.Name))
	})
	return func(context.Context) (string, error) { return request() }
}

// roots returns the root certificates of a mesh from its trust ConfigMap, which needs fewer permissions than a Secret.
func roots(ctx context.Context, c client.Client, m mesh) ([]byte, error) {
	trust := &corev1.ConfigMap{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: m.Namespace, Name: names.TrustConfigMap(m.Name)}, trust); err != nil {
		return nil, fmt.Errorf("read ConfigMap %s: %w", names.TrustConfigMap(m.Name), err)
	}
	return []byte(trust.Data[names.CABundleCert]), nil
}

// trustDomain returns the trust domain in which a mesh issues certificates.
func (a *app) trustDomain(ctx context.Context, c client.Client, m mesh) string {
	declared := &v1alpha1.Mesh{}
	err := c.Get(ctx, client.ObjectKey{Name: m.Name}, declared)
	switch {
	case err == nil && declared.Status.Certificates != nil && declared.Status.Certificates.TrustDomain != "":
		return declared.Status.Certificates.TrustDomain
	case err == nil && declared.Spec.Certificates != nil && declared.Spec.Certificates.TrustDomain != nil:
		return *declared.Spec.Certificates.TrustDomain
	}
	return names.DefaultTrustDomain
}

// forwards are forwarded ports of pods. They stay open for later connections. One that was lost is opened again: client-go ends it when any
// of its connections fails.
type forwards struct {
	// open forwards the port of a pod and returns the local address.
	open func(pod string) (address string, err error)

	mu        sync.Mutex
	addresses map[string]string
}

func newForwards(open func(pod string) (address string, err error)) *forwards {
	return &forwards{open: open, addresses: map[string]string{}}
}

// dial connects to the port of a pod.
func (f *forwards) dial(ctx context.Context, pod string) (net.Conn, error) {
	var dialer net.Dialer
	address, known, err := f.address(pod, "")
	if err != nil {
		return nil, err
	}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil || !known || ctx.Err() != nil {
		return conn, err
	}
	if address, _, err = f.address(pod, address); err != nil {
		return nil, err
	}
	return dialer.DialContext(ctx, "tcp", address)
}

// address returns the local address of a pod's port, other than one that was lost. known is true if it was open before.
func (f *forwards) address(pod, lost string) (address string, known bool, err error) {
	f.mu.Lock()
	address = f.addresses[pod]
	f.mu.Unlock()
	if address != "" && address != lost {
		return address, true, nil
	}
	// Other pods do not wait for this one.
	if address, err = f.open(pod); err != nil {
		return "", false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addresses[pod] = address
	return address, false, nil
}

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
	all := lists.Map(answer.Policies, func(policy string) explain.Live { return livePolicy(ctx, c, replicas, answer.PolicyKind(), policy) })
	// A policy counts all its sidecars. Those of the destination do not show whether the caller has one.
	if caller := liveParties(ctx, replicas, answer.Parties[:min(len(answer.Parties), 1)]); len(answer.Parties) > 0 &&
		caller.Sidecars == 0 && caller.Unknown == "" {
		all = append(all, caller)
	}
	return all
}

// livePolicy returns the acknowledgements of the policy "<namespace>/<name>".
func livePolicy(ctx context.Context, c client.Client, replicas objectReports, kind, policy string) explain.Live {
	l := explain.Live{Of: kind + " " + policy}
	namespace, name, _ := strings.Cut(policy, "/")
	var answers []reportclient.Answer[report.Object]
	var sum reportclient.ObjectSum
	generation, err := generationOf(ctx, c, policyRef{kind, namespace, name})
	if err == nil {
		answers, err = replicas.Object(ctx, kind, namespace, name)
	}
	if err == nil {
		sum, err = reportclient.Combine(answers, generation)
	}
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
	accounts := lists.Map(parties, identity.ServiceAccount.String)
	l := explain.Live{Of: "configuration of " + strings.Join(accounts, ", ")}
	answers, err := replicas.Proxies(ctx)
	if err != nil {
		l.Unknown = err.Error()
		return l
	}
	var involved []report.Proxy
	for _, answer := range answers {
		if answer.Err != nil {
			l.Unknown = answer.Err.Error()
			continue
		}
		for _, p := range answer.Value.Proxies {
			if slices.Contains(parties, identity.ServiceAccount{Namespace: p.Namespace, Name: p.ServiceAccount}) {
				involved = append(involved, p)
			}
		}
	}
	counts := report.CountPods(involved)
	l.Sidecars, l.Acknowledged, l.Rejected = counts.Connected, counts.UpToDate, counts.Rejecting
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
