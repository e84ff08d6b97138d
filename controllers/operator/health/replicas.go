package health

import (
	"context"

	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/report"
	"github.com/openservicemesh/osm-operator/internal/report/client"
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
		replicas = append(replicas, replicaOf(answer))
	}
	return replicas, nil
}

// replicaOf converts what one replica reports.
func replicaOf(answer client.Answer[report.Proxies]) rotation.Replica {
	replica := rotation.Replica{Name: answer.Replica}
	authority := answer.Value.Authority
	switch {
	case answer.Err != nil:
		replica.Problem = answer.Err.Error()
		return replica
	case authority == nil:
		replica.Problem = "its version does not report its certificate authority; upgrade the mesh first"
		return replica
	}
	replica.Issuer, replica.Trusted, replica.Since = authority.Issuer, authority.Trusted, authority.Since
	for _, p := range answer.Value.Proxies {
		secrets := p.Types["SDS"]
		replica.Proxies = append(replica.Proxies, rotation.Proxy{
			Name: p.Namespace + "/" + p.Pod, Since: p.Connected,
			// A sidecar that is not served has no configuration, and therefore no connections that depend on a root.
			UsesCertificates: p.UsesCertificates && p.Unserved == "",
			Synced:           secrets.Behind == nil && secrets.Rejection == "", Issuer: p.CertificateIssuer,
		})
	}
	return replica
}
