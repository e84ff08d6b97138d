package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/cli/candidate"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// checkOptions are the flags of osm certificates check.
type checkOptions struct {
	mesh, issuer, caFile string
	files                []string
	form                 output.Flag
}

// certificateCheck is the result of osm certificates check.
type certificateCheck struct {
	Mesh string `json:"mesh"`
	// Candidate describes the authority.
	Candidate string `json:"candidate"`
	// TrustDomain is the trust domain in which it would issue.
	TrustDomain string `json:"trustDomain"`
	// Sidecars is the number of checked sidecars.
	Sidecars int `json:"sidecars"`
	// Problems has a sentence for each sidecar and webhook that would break, and for everything else that would hold the rotation.
	Problems []string `json:"problems"`
	// Notes are what could not be checked.
	Notes []string `json:"notes,omitempty"`
}

func (a *app) certificatesCheckCommand() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check [-f FILE_OR_DIRECTORY | --issuer KIND/NAME | --ca-file FILE]",
		Short: "Show which sidecars and webhooks another certificate authority would break",
		Long: `Show which sidecars and webhooks of a mesh would break if another certificate authority issued their certificates, and why, without
changing anything. The same check precedes every rotation: see status.certificates.blockers of the Mesh.

Without flags the candidate is a new root of the operator, as for spec.certificates.rotateRoot. With -f it is that of the Mesh in a
manifest, with its issuer, or with the Secret osm-ca-bundle.

The output lists certificates that peers would reject, for example because the authority is limited to other names. It also lists
what could not follow a rotation: sidecars that are not connected or do not acknowledge, webhooks that are not updated, and
namespaces without the present root.

The exit code is 0 if nothing would break, 2 if something would, and 1 on errors.`,
		Example: `  osm certificates check
  osm certificates check -f mesh.yaml
  osm certificates check --issuer Issuer/corporate
  osm certificates check --ca-file chain.pem -o json`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.checkAuthority(ctx, &o) }),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &o.mesh, "")
	f.StringSliceVarP(&o.files, "filename", "f", nil, "files or directories with the Mesh and its issuer or CA Secret, separated by commas; - reads standard input")
	f.StringVar(&o.issuer, "issuer", "", "issuer of cert-manager: ClusterIssuer/NAME, or Issuer/NAME in the namespace of the mesh")
	f.StringVar(&o.caFile, "ca-file", "", "certificates of an authority in PEM, from the issuing one to the root")
	cmd.MarkFlagsMutuallyExclusive("filename", "issuer", "ca-file")
	o.form.AddTo(f)
	return cmd
}

func (a *app) checkAuthority(ctx context.Context, o *checkOptions) error {
	kind, issuer, _ := strings.Cut(o.issuer, "/")
	if o.issuer != "" && (issuer == "" || kind != "Issuer" && kind != "ClusterIssuer") {
		return fmt.Errorf("invalid --issuer %s: write ClusterIssuer/NAME or Issuer/NAME", o.issuer)
	}
	files, err := a.objectsOf(o.files)
	if err != nil {
		return err
	}
	c, m, err := a.open(ctx, o.mesh)
	if err != nil {
		return err
	}
	live, err := declaredMesh(ctx, c, m)
	if err != nil {
		return err
	}
	source := candidate.Source{Cluster: c, Manifests: files, Namespace: m.Namespace}
	var found candidate.Candidate
	switch {
	case o.issuer != "":
		found, err = source.FromIssuer(ctx, "cert-manager.io", kind, issuer)
	case o.caFile != "":
		found, err = authorityIn(o.caFile)
	case len(o.files) > 0:
		found, err = source.FromMesh(ctx, m.Name)
	default:
		found = candidate.NewRoot()
	}
	if err != nil {
		return err
	}
	result, err := a.preflight(ctx, c, m, live, found)
	if err != nil {
		return err
	}
	return a.printPreflight(result, &o.form)
}

// authorityIn reads an authority from a file.
func authorityIn(file string) (candidate.Candidate, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return candidate.Candidate{}, fmt.Errorf("%s not found: check --ca-file", file)
	}
	if err != nil {
		return candidate.Candidate{}, err
	}
	return candidate.FromPEM(file, text)
}

// preflight checks a candidate with the functions of the operator.
func (a *app) preflight(ctx context.Context, c client.Client, m mesh, live *v1alpha1.Mesh, of candidate.Candidate) (*certificateCheck, error) {
	present := a.trustDomain(ctx, c, m)
	result := &certificateCheck{Mesh: m.Name, Candidate: of.Description, TrustDomain: cmp.Or(of.TrustDomain, present), Problems: of.Problems, Notes: of.Notes}
	if other := identity.AmbiguousTrustDomain(result.TrustDomain, []string{present}); other != "" {
		result.Problems = append(result.Problems, fmt.Sprintf("the trust domain %s cannot follow %s: one is a subdomain of the other", result.TrustDomain, other))
	}
	sidecars, err := runningSidecars(ctx, c, m)
	if err != nil {
		return nil, a.kube.Sentence(err)
	}
	result.Sidecars = len(sidecars)
	o, err := a.observeRotation(ctx, c, m, live, sidecars, present)
	if err != nil {
		return nil, err
	}
	o.Desired.Domains = identity.OneTrustDomain(result.TrustDomain)
	o.Rejected, err = preflight.Check(of.Path, preflight.Mesh{
		Namespace: m.Namespace, TrustDomain: result.TrustDomain, Sidecars: sidecars, Webhooks: preflight.WebhooksOf(m.Name),
	}, a.now())
	if err != nil {
		return nil, err
	}
	result.Problems = append(result.Problems, rotation.Preflight(o)...)
	return result, nil
}

// observeRotation observes what a rotation of a mesh would depend on, before it begins.
func (a *app) observeRotation(ctx context.Context, c client.Client, m mesh, live *v1alpha1.Mesh, sidecars []preflight.Sidecar,
	domain string,
) (rotation.Observed, error) {
	status := live.Status.Certificates
	o := rotation.Observed{Now: a.now(), Active: rotation.Authority{
		Issuer: status.Issuer.Fingerprint, Anchor: status.Root,
		Domains: identity.OneTrustDomain(domain),
		Trusted: lists.Map(status.Roots, func(root v1alpha1.CertificateSummary) string { return root.Fingerprint }),
	}}
	o.Sidecars = lists.Map(sidecars, func(sidecar preflight.Sidecar) string { return sidecar.Name })
	var err error
	if o.Namespaces, err = preflight.NamespacesWithout(ctx, c, m.Name, append([]string{m.Namespace}, m.Members...), o.Active.Trusted); err != nil {
		return o, a.kube.Sentence(err)
	}
	if o.Webhooks, err = preflight.WebhooksWithout(ctx, c, m.Name, o.Active.Trusted); err != nil {
		return o, a.kube.Sentence(err)
	}
	if o.Peers, err = health.Peers(ctx, c, live, nil, a.now()); err != nil {
		return o, a.kube.Sentence(err)
	}
	a.progress().report("reading the sidecar status of mesh %s", m.Name)
	answers, err := a.reports(ctx, c, m).Proxies(ctx)
	o.Replicas = lists.Map(answers, health.ReplicaOf)
	return o, err
}

// runningSidecars lists the running pods of a mesh with a sidecar.
func runningSidecars(ctx context.Context, c client.Client, m mesh) ([]preflight.Sidecar, error) {
	var all []preflight.Sidecar
	pods, err := sidecarPods(ctx, c, m, m.Members)
	for _, p := range pods {
		if p.DeletionTimestamp == nil {
			account := identity.ServiceAccount{Namespace: p.Namespace, Name: p.Spec.ServiceAccountName}
			all = append(all, preflight.Sidecar{Name: p.Namespace + "/" + p.Name, Account: account})
		}
	}
	return all, err
}

// printPreflight prints the result of a check of an authority.
func (a *app) printPreflight(result *certificateCheck, form *output.Flag) error {
	text := func(io.Writer) error {
		a.line("Candidate: %s, in the trust domain %s", result.Candidate, result.TrustDomain)
		for _, note := range result.Notes {
			a.line("Note: %s", note)
		}
		if len(result.Problems) == 0 {
			a.line("Nothing would break: %s, the webhooks and the control plane can use it.", output.Count(result.Sidecars, "sidecar"))
		} else {
			a.line("\nWould break or hold the rotation (%d):", len(result.Problems))
		}
		for _, problem := range result.Problems {
			a.line("  %s", problem)
		}
		return nil
	}
	err := form.Print(a.Out, output.Result{Data: result, Names: []string{meshResource + result.Mesh}, Text: text})
	return exitIf(len(result.Problems) > 0, exitNo, err)
}
