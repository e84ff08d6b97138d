package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/cli/analyze"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/reasons"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// osmErrorCode matches the error codes in OSM's logs.
var osmErrorCode = regexp.MustCompile(`^[Ee][0-9]{4}$`)

func (a *app) errorInfoCommand() *cobra.Command {
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "error-info [REASON]",
		Short: "Explain the reasons in conditions and Events",
		Long:  `Explain the reasons that a mesh uses in conditions, Events and messages, and the codes of "osm analyze". Without an argument, list all reasons.`,
		Example: `  osm support error-info
  osm support error-info RefNotFound
  osm support error-info OSM0204`,
		Args: atMostOne,
		RunE: a.run(func(_ context.Context, args []string) error { return a.errorInfo(args, &form) }),
		ValidArgsFunction: func(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
			return completed(lists.Map(reasons.All(), func(r reasons.Reason) string { return r.Code }), prefix)
		},
	}
	form.AddTo(cmd.Flags())
	return cmd
}

// analysisCode returns the code of a finding of osm analyze; nil for another text.
func analysisCode(text string) *analyze.Code {
	for _, code := range analyze.Codes() {
		if strings.EqualFold(code.ID, text) {
			return &code
		}
	}
	return nil
}

func (a *app) errorInfo(args []string, form *output.Flag) error {
	found := []reasons.Reason{}
	for _, r := range reasons.All() {
		if len(args) == 0 || strings.EqualFold(args[0], r.Code) {
			found = append(found, r)
		}
	}
	switch {
	case len(found) == 0 && analysisCode(args[0]) != nil:
		code := analysisCode(args[0])
		found = append(found, reasons.Reason{
			Code: code.ID, On: "osm analyze",
			Description: fmt.Sprintf("%s (%s). %s %s", code.Title, code.Severity, code.Meaning, code.Remedy),
		})
	case len(found) == 0 && osmErrorCode.MatchString(args[0]):
		return fmt.Errorf("%s is an OSM log code, which this mesh does not use: problems are reported as reasons in conditions and Events, see `osm support error-info`", args[0])
	case len(found) == 0:
		return fmt.Errorf("unknown reason %s: list all reasons with `osm support error-info`", args[0])
	}
	return form.Print(a.Out, output.List(map[string]any{"items": found}, found, output.Columns("ERROR CODE", "ON", "DESCRIPTION"),
		func(r reasons.Reason) (string, []string) {
			return r.Code, []string{r.Code, r.On, r.Description}
		}))
}
