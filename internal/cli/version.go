package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/version"
)

// versions is what `osm version` found out.
type versions struct {
	CLI    cliVersion    `json:"cli"`
	Meshes []meshVersion `json:"meshes"`
}

type cliVersion struct {
	Version string `json:"version"`
	Commit  string `json:"gitCommit"`
	Date    string `json:"buildDate"`
}

type meshVersion struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Version   string `json:"version"`
	Commit    string `json:"gitCommit"`
	Date      string `json:"buildDate"`
}

func (a *app) versionCommand() *cobra.Command {
	var clientOnly, versionOnly bool
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of this program and of the meshes",
		Long: `Prints the version of this program, then the version that each mesh of the cluster says it runs, and on a line of its
own the one that it tries in some namespaces first. A mesh that cannot be asked is listed with the version that it is declared to
have.`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if err := form.Check(); err != nil {
				return err
			}
			return a.version(ctx, clientOnly, versionOnly, &form)
		}),
	}
	cmd.Flags().BoolVar(&clientOnly, "client-only", false, "do not ask the cluster")
	cmd.Flags().BoolVar(&versionOnly, "version-only", false, "print the version alone, without commit and date")
	form.AddTo(cmd.Flags())
	return cmd
}

func (a *app) version(ctx context.Context, clientOnly, versionOnly bool, form *output.Flag) error {
	commit, date := version.Source()
	found := versions{CLI: cliVersion{Version: version.Version, Commit: commit, Date: date}, Meshes: []meshVersion{}}
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
	result := output.Result{Data: found, Table: output.Table{Columns: columns}}
	for _, m := range found.Meshes {
		result.Names = append(result.Names, m.Version)
		result.Table.Rows = append(result.Table.Rows, []string{m.Name, m.Namespace, m.Version, orUnknown(m.Commit), orUnknown(m.Date)})
	}
	if form.ForPeople() {
		a.line("")
	}
	return form.Print(a.Out, result)
}

func orUnknown(text string) string {
	if text == "" {
		return "Unknown"
	}
	return text
}

// meshVersions asks every mesh for its version.
func (a *app) meshVersions(ctx context.Context) ([]meshVersion, error) {
	c, err := a.kube.Client()
	if err != nil {
		return nil, err
	}
	all, err := a.meshes(ctx, c)
	if err != nil {
		return nil, err
	}
	found := make([]meshVersion, 0, len(all))
	ask := func(m mesh, declared, app string) {
		one := meshVersion{Name: m.Name, Namespace: m.Namespace, Version: declared}
		if err := a.askVersion(ctx, c, app, &one); err != nil {
			a.note("The version of mesh %s is the one that it is declared to have, because its control plane does not answer: %v", m.Name, err)
		}
		found = append(found, one)
	}
	for _, m := range all {
		ask(m, m.Version, names.Controller)
		if m.Canary != "" {
			ask(m, m.Canary, names.Beside(names.Controller, m.beside))
		}
	}
	return found, nil
}

// askVersion asks a controller of a mesh, by the label of its pods, for its version; without a running one the answer stays as it is.
func (a *app) askVersion(ctx context.Context, c client.Client, app string, m *meshVersion) error {
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
