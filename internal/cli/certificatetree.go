package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// certificateTree are the certificates of a mesh, from the roots to the sidecars.
type certificateTree struct {
	Mesh  string            `json:"mesh"`
	Roots []certificateRoot `json:"roots"`
	// Rotation is the step of a rotation; nil without one.
	Rotation *rotationState `json:"rotation,omitempty"`
}

// certificateRoot is a trusted certificate. Its fingerprint is empty for issuers whose root is not trusted or not known.
type certificateRoot struct {
	Fingerprint string              `json:"fingerprint,omitempty"`
	Subject     string              `json:"subject,omitempty"`
	NotAfter    *time.Time          `json:"notAfter,omitempty"`
	Issuers     []certificateIssuer `json:"issuers"`
}

// certificateIssuer is a certificate that has issued others.
type certificateIssuer struct {
	Fingerprint string     `json:"fingerprint"`
	Subject     string     `json:"subject,omitempty"`
	NotAfter    *time.Time `json:"notAfter,omitempty"`
	// Active is true for the issuer of new certificates.
	Active    bool                  `json:"active"`
	Workloads []workloadCertificate `json:"workloads"`
	Webhooks  []webhookCertificate  `json:"webhooks,omitempty"`
}

// workloadCertificate are the certificates of the sidecars of a service account.
type workloadCertificate struct {
	// ServiceAccount is "<namespace>/<name>".
	ServiceAccount string `json:"serviceAccount"`
	Sidecars       int    `json:"sidecars"`
	// NotAfter is when the first one expires.
	NotAfter *time.Time `json:"notAfter,omitempty"`
}

// webhookCertificate is the certificate of a webhook, in a Secret.
type webhookCertificate struct {
	Secret   string    `json:"secret"`
	NotAfter time.Time `json:"notAfter"`
}

// rotationState is a rotation of the certificate authority in progress.
type rotationState struct {
	Step    string `json:"step"`
	Message string `json:"message"`
	// Blockers is everything that the rotation waits for, at most 100 entries.
	Blockers []string `json:"blockers,omitempty"`
}

// newCertificateTree builds the tree from the status of a Mesh and the connected sidecars.
func newCertificateTree(mesh string, status v1alpha1.CertificatesStatus, sidecars []report.Proxy) *certificateTree {
	tree := &certificateTree{Mesh: mesh}
	for _, root := range status.Roots {
		tree.Roots = append(tree.Roots, certificateRoot{
			Fingerprint: root.Fingerprint, Subject: root.Subject, NotAfter: &root.NotAfter.Time, Issuers: []certificateIssuer{},
		})
	}
	active := tree.issuer(status.Issuer.Fingerprint, status.Root)
	active.Active, active.Subject, active.NotAfter = true, status.Issuer.Subject, &status.Issuer.NotAfter.Time
	for _, webhook := range status.Webhooks {
		active.Webhooks = append(active.Webhooks, webhookCertificate{webhook.Secret, webhook.NotAfter.Time})
	}
	for _, sidecar := range sidecars {
		if sidecar.CertificateIssuer != "" {
			tree.issuer(sidecar.CertificateIssuer, sidecar.CertificateIssuer).add(sidecar)
		}
	}
	for _, root := range tree.Roots {
		for _, issuer := range root.Issuers {
			slices.SortFunc(issuer.Workloads, func(a, b workloadCertificate) int { return cmp.Compare(a.ServiceAccount, b.ServiceAccount) })
		}
	}
	return tree
}

// issuer returns the issuer with a fingerprint. It adds one below a root if there is none, or below a root without fingerprint if that root
// is not trusted.
func (t *certificateTree) issuer(fingerprint, root string) *certificateIssuer {
	for r := range t.Roots {
		for i := range t.Roots[r].Issuers {
			if t.Roots[r].Issuers[i].Fingerprint == fingerprint {
				return &t.Roots[r].Issuers[i]
			}
		}
	}
	at := slices.IndexFunc(t.Roots, func(r certificateRoot) bool { return r.Fingerprint == root })
	if at < 0 {
		at = slices.IndexFunc(t.Roots, func(r certificateRoot) bool { return r.Fingerprint == "" })
	}
	if at < 0 {
		at = len(t.Roots)
		t.Roots = append(t.Roots, certificateRoot{})
	}
	t.Roots[at].Issuers = append(t.Roots[at].Issuers, certificateIssuer{Fingerprint: fingerprint, Workloads: []workloadCertificate{}})
	return &t.Roots[at].Issuers[len(t.Roots[at].Issuers)-1]
}

// add counts the certificate of a sidecar.
func (i *certificateIssuer) add(sidecar report.Proxy) {
	account := sidecar.Namespace + "/" + sidecar.ServiceAccount
	at := slices.IndexFunc(i.Workloads, func(w workloadCertificate) bool { return w.ServiceAccount == account })
	if at < 0 {
		at = len(i.Workloads)
		i.Workloads = append(i.Workloads, workloadCertificate{ServiceAccount: account})
	}
	w := &i.Workloads[at]
	w.Sidecars++
	if end := sidecar.CertificateEnd; end != nil && (w.NotAfter == nil || end.Before(*w.NotAfter)) {
		w.NotAfter = end
	}
}

// certificateTable formats a tree, with two spaces for each level.
func (a *app) certificateTable(tree *certificateTree) output.Table {
	table := output.Table{Columns: append(output.Columns("CERTIFICATE", "HELD BY", "EXPIRES"), output.Column{Name: "SUBJECT", Wide: true})}
	row := func(level int, name, holders string, end *time.Time, subject string) {
		table.Rows = append(table.Rows, []string{strings.Repeat("  ", level) + name, orDash(holders), a.until(end), orDash(subject)})
	}
	for _, root := range tree.Roots {
		row(0, "root "+orUnknown(root.Fingerprint), "", root.NotAfter, root.Subject)
		for _, issuer := range root.Issuers {
			state := "issued earlier"
			if issuer.Active {
				state = "issues"
			}
			row(1, fmt.Sprintf("issuer %s (%s)", issuer.Fingerprint, state), "", issuer.NotAfter, issuer.Subject)
			for _, w := range issuer.Workloads {
				row(2, "workload "+w.ServiceAccount, count(w.Sidecars, "sidecar"), w.NotAfter, "")
			}
			for _, w := range issuer.Webhooks {
				row(2, "webhook "+w.Secret, "", &w.NotAfter, "")
			}
		}
	}
	return table
}

// count formats a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
