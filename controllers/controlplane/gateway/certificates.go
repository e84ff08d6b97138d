package gateway

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

const (
	// awaitInterval is how often those without a usable certificate are read: somebody creates them, or permits to read them.
	awaitInterval = time.Second
	// maxAwaited is how many of them are read that often, so that a mesh with many asks the API server for few.
	maxAwaited = 8
)

// updateCertificates sends the certificates, and the authorities of clients, to the control plane, and returns them. It removes those that no Gateway
// of the view uses any more. A Secret or a ConfigMap that cannot be read now keeps its last content. An unusable one is an entry with a problem.
func (r *Reconciler) updateCertificates(ctx context.Context, v *catalog.View) ([]catalog.Change, error) {
	certificates, failed := r.update(&r.certificates, gateway.Certificates(v), entity.KindGatewayCertificate, func(name entity.Name) (catalog.Entry, error) {
		data, problem, err := secrets.Read(ctx, r.Secrets, name, r.Namespace)
		if err != nil || problem != "" {
			return &catalog.GatewayCertificate{Name: name, Problem: problem}, err
		}
		return ingest.GatewayCertificate(name, data, r.Now()), nil
	})
	authorities, alsoFailed := r.update(&r.authorities, gateway.Authorities(v), entity.KindGatewayAuthorities, func(name entity.Name) (catalog.Entry, error) {
		data, problem, err := secrets.ReadConfigMap(ctx, r.Secrets, name, r.Namespace)
		if err != nil || problem != "" {
			return &catalog.GatewayAuthorities{Name: name, Problem: problem}, err
		}
		return ingest.GatewayAuthorities(name, data), nil
	})
	current := slices.Concat(certificates, authorities)
	r.awaited = withoutCertificate(current)
	return current, errors.Join(failed, alsoFailed)
}

// update reads the entries of a kind that are due, more often those that are awaited.
func (r *Reconciler) update(
	entries *secrets.Entries, names []entity.Name, kind entity.Kind, read func(entity.Name) (catalog.Entry, error),
) ([]catalog.Change, error) {
	entries.Now, entries.Receive = r.Now, r.Sink.Apply
	entries.Interval = func(name entity.Name) time.Duration {
		if r.awaited[entity.Ref{Kind: kind, Name: name}] {
			return awaitInterval
		}
		return secrets.ReadInterval
	}
	return entries.Update(names, read)
}

// withoutCertificate returns the first Secrets and ConfigMaps without a usable certificate.
func withoutCertificate(current []catalog.Change) map[entity.Ref]bool {
	awaited := map[entity.Ref]bool{}
	for _, change := range current {
		if len(awaited) < maxAwaited && isUnusable(change.Entry) {
			awaited[change.Ref] = true
		}
	}
	return awaited
}

func isUnusable(entry catalog.Entry) bool {
	switch e := entry.(type) {
	case *catalog.GatewayCertificate:
		return e.Problem != ""
	case *catalog.GatewayAuthorities:
		return e.Problem != ""
	}
	return false
}
