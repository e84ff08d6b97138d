package cli

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// versions is the output of `osm version`.
type versions struct {
	CLI    build         `json:"cli"`
	Meshes []meshVersion `json:"meshes"`
}

// build identifies a build of a program.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"gitCommit"`
	Date    string `json:"buildDate"`
}

type meshVersion struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	build
}

func (a *app) versionCommand() *cobra.Command {
	var clientOnly, versionOnly bool
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of osm and of all meshes",
		Long: `Print the version of osm and the running version of each mesh in the cluster. A canary has its own line. If the control plane of a
mesh does not respond, the command prints the version in the status of the Mesh.`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.version(ctx, clientOnly, versionOnly, &form) }),
	}
	cmd.Flags().BoolVar(&clientOnly, "client-only", false, "do not connect to the cluster")
	cmd.Flags().BoolVar(&versionOnly, "version-only", false, "print only versions, without commit and date")
	form.AddTo(cmd.Flags())
	return cmd
}

func (a *app) version(ctx context.Context, clientOnly, versionOnly bool, form *output.Flag) error {
	commit, date := version.Source()
	found := versions{CLI: build{Version: version.Version, Commit: commit, Date: date}, Meshes: []meshVersion{}}
	if form.ForPeople() {
		if versionOnly {
			a.line("CLI Version: %s", version.Version)
		} else {
			a.line("CLI Version: %s; Commit: %s; Date: %s", version.Version, orUnknown(commit), orUnknown(date))
		}
	}
	if !clientOnly {
		meshes, err := a.meshVersions(ctx)
		if err != nil {
			return err
		}
		found.Meshes = meshes
	}
	if form.ForPeople() && len(found.Meshes) == 0 {
		if !clientOnly {
			a.note("No osm mesh control planes found")
		}
		return nil
	}
	columns := output.Columns("MESH NAME", "MESH NAMESPACE", "VERSION", "GIT COMMIT", "BUILD DATE")
	if versionOnly {
		columns[3].Wide, columns[4].Wide = true, true
	}
	if form.ForPeople() {
		a.line("")
	}
	return form.Print(a.Out, output.List(found, found.Meshes, columns, func(m meshVersion) (string, []string) {
		return m.Version, []string{m.Name, m.Namespace, m.Version, orUnknown(m.Commit), orUnknown(m.Date)}
	}))
}

func orUnknown(text string) string {
	return cmp.Or(text, "Unknown")
}

// meshVersions returns the versions of all meshes.
func (a *app) meshVersions(ctx context.Context) ([]meshVersion, error) {
	c, all, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]meshVersion, 0, len(all))
	add := func(m mesh, declared, app string) {
		one := meshVersion{Name: m.Name, Namespace: m.Namespace, build: build{Version: declared}}
		if err := a.readVersion(ctx, c, app, &one); err != nil {
			a.note("Warning: the control plane of mesh %s does not respond, using the version in its status: %v", m.Name, err)
		}
		found = append(found, one)
	}
	for _, m := range all {
		add(m, m.Version, names.Controller)
		if m.Canary != "" {
			add(m, m.Canary, names.WithSuffix(names.Controller, m.canarySuffix))
		}
	}
	return found, nil
}

// readVersion reads the version from a running controller pod with the given app label. Without a running pod, m does not change.
func (a *app) readVersion(ctx context.Context, c client.Client, app string, m *meshVersion) error {
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(m.Namespace), client.MatchingLabels{names.AppLabel: app}); err != nil {
		return err
	}
	for i := range pods.Items {
		if pods.Items[i].Status.Phase != corev1.PodRunning {
			continue
		}
		answer, err := a.kube.PodAnswer(ctx, m.Namespace, pods.Items[i].Name, names.HealthPort, "/version")
		if err != nil {
			return err
		}
		return json.Unmarshal(answer, &struct {
			Version *string `json:"version"`
			Commit  *string `json:"commit"`
			Date    *string `json:"build_date"`
		}{&m.Version, &m.Commit, &m.Date})
	}
	return nil
}
