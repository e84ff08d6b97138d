package health

import (
	"context"

	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// Replicas observes which certificate authority each replica of a revision uses, and what its sidecars have acknowledged.
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
	replicas := make([]rotation.Replica, 0, len(answers))
	for _, answer := range answers {
		replicas = append(replicas, ReplicaOf(answer))
	}
	return replicas, nil
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
