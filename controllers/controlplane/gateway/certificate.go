package gateway

import (
	"context"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// readCertificate reads the Secret of a certificate. An unusable Secret is an entry with a problem. An error means that the answer is not
// known.
func (r *Reconciler) readCertificate(ctx context.Context, name catalog.Name) (*catalog.GatewayCertificate, error) {
	data, problem, err := secrets.Read(ctx, r.Secrets, name, r.Namespace)
	switch {
	case err != nil:
		return nil, err
	case problem != "":
		return &catalog.GatewayCertificate{Name: name, Problem: problem}, nil
	}
	return ingest.GatewayCertificate(name, data, r.Now()), nil
}

// updateCertificates sends the certificates to the control plane, and returns them. It removes those that no Gateway uses any more. A
// Secret that cannot be read now keeps its last content.
func (r *Reconciler) updateCertificates(ctx context.Context, names []catalog.Name) ([]catalog.Change, error) {
	current, removed, failed := r.certificates.Update(names, func(name catalog.Name) (catalog.Entry, error) {
		// A typed nil would be an entry.
		entry, err := r.readCertificate(ctx, name)
		if err != nil {
			return nil, err
		}
		return entry, nil
	})
	r.Sink.Apply(append(removed, current...))
	return current, failed
}
