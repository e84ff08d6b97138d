package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

func (a *app) certificatesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certificates",
		Short: "Show the certificates of a mesh, from the roots to the workloads",
		Long: `Show the roots that a mesh trusts, what they have issued, who has it, and when it expires. During a rotation, show its step
and what it waits for.

The exit code is 1 if a rotation waits for something, or if a replica of the control plane does not respond.`,
		Example: `  osm certificates
  osm certificates -o json`,
	}
	cmd.AddCommand(a.certificatesCheckCommand())
	return a.forMesh(cmd, a.certificates)
}

func (a *app) certificates(ctx context.Context, c client.Client, m mesh, form *output.Flag, _ []string) error {
	live, err := declaredMesh(ctx, c, m)
	if err != nil {
		return err
	}
	sidecars, complete, err := a.sidecars(ctx, c, m, "")
	if err != nil {
		return err
	}
	tree := newCertificateTree(m.Name, *live.Status.Certificates, proxiesOf(sidecars))
	tree.Rotation = rotationOf(live)
	result := output.Result{Data: tree, Names: []string{meshResource + m.Name}, Table: a.certificateTable(tree)}
	if err := form.Print(a.Out, result); err != nil {
		return err
	}
	if form.ForPeople() {
		a.describeIssuance(*live.Status.Certificates)
	}
	if r := tree.Rotation; r != nil && form.ForPeople() {
		a.line("\nRotation in step %s: %s", r.Step, r.Message)
		for _, blocker := range r.Blockers {
			a.line("  %s", blocker)
		}
	}
	return exitIf(!complete || tree.Rotation != nil && len(tree.Rotation.Blockers) > 0, exitFailed, nil)
}

// describeIssuance prints what differs from the usual: an external issuer of workload certificates, and several trust domains.
func (a *app) describeIssuance(status v1alpha1.CertificatesStatus) {
	if status.WorkloadIssuer != "" {
		a.line("\nCertificates of workloads are requested of the %s of cert-manager, which leads to the same root.", status.WorkloadIssuer)
	}
	if len(status.AcceptedTrustDomains) > 0 {
		a.line("\nCertificates are issued in the trust domain %s. Accepted are %s.", status.TrustDomain, strings.Join(status.AcceptedTrustDomains, " and "))
	}
}

// declaredMesh reads a Mesh whose status describes its certificates.
func declaredMesh(ctx context.Context, c client.Client, m mesh) (*v1alpha1.Mesh, error) {
	if !m.Declared {
		return nil, fmt.Errorf("mesh %s in namespace %s has no Mesh object: its certificates are those of the tool that installed it", m.Name, m.Namespace)
	}
	live := &v1alpha1.Mesh{}
	if err := c.Get(ctx, client.ObjectKey{Name: m.Name}, live); err != nil {
		return nil, err
	}
	if live.Status.Certificates == nil {
		return nil, fmt.Errorf("the status of Mesh %s has no certificates: it is not installed yet, or its operator is older than this program; see `osm status`", m.Name)
	}
	return live, nil
}

// rotationOf returns the step of a rotation, or nil.
func rotationOf(live *v1alpha1.Mesh) *rotationState {
	c := meta.FindStatusCondition(live.Status.Conditions, v1alpha1.ConditionRotatingAuthority)
	if c == nil {
		return nil
	}
	state := &rotationState{Step: c.Reason, Message: c.Message}
	if live.Status.Certificates != nil {
		state.Blockers = live.Status.Certificates.Blockers
	}
	return state
}

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
	tree.Roots = lists.Map(status.Roots, func(root v1alpha1.CertificateSummary) certificateRoot {
		return certificateRoot{Fingerprint: root.Fingerprint, Subject: root.Subject, NotAfter: &root.NotAfter.Time, Issuers: []certificateIssuer{}}
	})
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
				row(2, "workload "+w.ServiceAccount, output.Count(w.Sidecars, "sidecar"), w.NotAfter, "")
			}
			for _, w := range issuer.Webhooks {
				row(2, "webhook "+w.Secret, "", &w.NotAfter, "")
			}
		}
	}
	return table
}
