package health

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// Rejection is a workload most of whose sidecars reject configuration.
type Rejection struct {
	// Workload is a service account, as "<namespace>/<name>".
	Workload string
	// Sidecars describes its sidecars that reject configuration, each with Envoy's error.
	Sidecars []string
}

// group are the sidecars of a service account that one revision injected. They have the same configuration and software, so a
// single one of several that differs proves nothing about the revision: it can be compromised. Pods that were restarted
// for a new revision are a group of their own.
type group struct {
	workload string
	// pods have one Envoy each, or two while one of them takes over.
	pods [][]report.Proxy
}

// groupPods returns the groups, sorted by workload and revision.
func groupPods(pods [][]report.Proxy) []group {
	type key struct{ workload, revision string }
	members := map[key][][]report.Proxy{}
	for _, pod := range pods {
		k := key{pod[0].Namespace + "/" + pod[0].ServiceAccount, pod[0].Revision}
		members[k] = append(members[k], pod)
	}
	groups := make([]group, 0, len(members))
	for _, k := range slices.SortedFunc(maps.Keys(members), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.workload, b.workload), cmp.Compare(a.revision, b.revision))
	}) {
		groups = append(groups, group{k.workload, members[k]})
	}
	return groups
}

// rejections returns the groups of which more than half reject configuration.
func rejections(groups []group) []Rejection {
	var list []Rejection
	for _, g := range groups {
		rejection := Rejection{Workload: g.workload}
		for _, pod := range g.pods {
			i := slices.IndexFunc(pod, func(p report.Proxy) bool { return p.Counts().Rejecting > 0 })
			if i >= 0 {
				rejection.Sidecars = append(rejection.Sidecars, formatRejection(pod[i]))
			}
		}
		if 2*len(rejection.Sidecars) > len(g.pods) {
			list = append(list, rejection)
		}
	}
	return list
}

// certificatesUntil returns the first time at which the certificates of more than half of a group of a namespace have expired, by namespace.
func certificatesUntil(groups []group) map[string]time.Time {
	first := map[string]time.Time{}
	for _, g := range groups {
		var ends []time.Time
		for _, pod := range g.pods {
			if end := firstEnd(pod); end != nil {
				ends = append(ends, *end)
			}
		}
		if len(ends) == 0 {
			continue
		}
		slices.SortFunc(ends, time.Time.Compare)
		namespace := rollout.NamespaceOf(g.workload)
		if end, known := ends[len(ends)/2], first[namespace]; known.IsZero() || end.Before(known) {
			first[namespace] = end
		}
	}
	return first
}

// firstEnd returns when the first certificate of a pod expires; nil without any.
func firstEnd(pod []report.Proxy) (first *time.Time) {
	for _, p := range pod {
		if end := p.CertificateEnd; end != nil && (first == nil || end.Before(*first)) {
			first = end
		}
	}
	return first
}

// RejectingWorkloads returns the names of the workloads most of whose sidecars reject configuration, sorted, without duplicates.
func (p Proxies) RejectingWorkloads() []string {
	return slices.Compact(lists.Map(p.Rejections, func(r Rejection) string { return r.Workload }))
}

// Accepted counts the connected sidecars. The ones that reject configuration fail, except for workloads that did before.
func (p Proxies) Accepted(before []string) rollout.Census {
	census := rollout.Census{}
	for namespace, pods := range p.Namespaces {
		census[namespace] = rollout.Tally{Pods: pods}
	}
	for _, r := range p.Rejections {
		if !slices.Contains(before, r.Workload) {
			namespace := rollout.NamespaceOf(r.Workload)
			tally := census[namespace]
			tally.Failed = append(tally.Failed, r.Sidecars...)
			census[namespace] = tally
		}
	}
	for namespace, tally := range census {
		tally.Sound = len(tally.Failed) == 0
		census[namespace] = tally
	}
	return census
}

// Replicas observes which certificate authority each replica in the Deployments of a revision uses, and what its sidecars have acknowledged.
// Replicas of an earlier version count as well, because they serve sidecars until those of the revision are ready.
func (r *Reader) Replicas(ctx context.Context, s Target) ([]rotation.Replica, error) {
	pods, err := r.pods(ctx, s)
	if err != nil {
		return nil, err
	}
	running := replicasOf(pods, s.apps(names.Controller))
	if len(running) == 0 {
		return nil, nil
	}
	answers, err := r.reporter(s, running).Proxies(ctx)
	if err != nil {
		return nil, err
	}
	return lists.Map(answers, ReplicaOf), nil
}

// ReplicaOf converts what one replica reports.
func ReplicaOf(answer client.Answer[report.Proxies]) rotation.Replica {
	replica := rotation.Replica{Name: answer.Replica}
	authority := answer.Value.Authority
	switch {
	case answer.Err != nil:
		replica.Problem = answer.Err.Error()
		return replica
	case authority == nil:
		replica.Problem = "it does not report its certificate authority"
		return replica
	}
	replica.Issuer, replica.Trusted, replica.Since = authority.Issuer, authority.Trusted, authority.Since
	replica.Domains = identity.TrustDomains{Issued: authority.TrustDomain, Clients: authority.ClientTrustDomains, Servers: authority.ServerTrustDomains}
	if failure := authority.Failure; failure != nil {
		replica.Failure, replica.FailingSince = failure.Error, failure.Since
	}
	for _, p := range answer.Value.Proxies {
		if end := p.CertificateEnd; end != nil && (replica.FirstExpiry.IsZero() || end.Before(replica.FirstExpiry)) {
			replica.FirstExpiry = *end
		}
		secrets := p.Types["SDS"]
		replica.Proxies = append(replica.Proxies, rotation.Proxy{
			Name: p.Namespace + "/" + p.Pod, Since: p.Connected,
			// A sidecar that is not served has no configuration, and therefore no connections that depend on a root.
			UsesCertificates:  p.UsesCertificates && p.Unserved == "",
			AwaitsCertificate: p.AwaitsCertificate,
			Synced:            isAcknowledged(secrets),
			UpToDate:          isUpToDate(p), Issuer: p.CertificateIssuer, Domain: p.CertificateTrustDomain,
		})
	}
	return replica
}

// isUpToDate reports whether a sidecar has acknowledged all its configuration. Endpoints do not depend on the authority, and change often.
func isUpToDate(p report.Proxy) bool {
	for name, state := range p.Types {
		if name != "EDS" && !isAcknowledged(state) {
			return false
		}
	}
	return true
}

func isAcknowledged(t report.Type) bool { return t.Behind == nil && t.Rejection == "" }
