package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/openservicemesh/osm-operator/internal/cli"
	"github.com/openservicemesh/osm-operator/internal/cli/analyze"
	"github.com/openservicemesh/osm-operator/internal/cli/reasons"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/cli/gendocs DIRECTORY ANALYSIS REASONS CONDITIONS")
		os.Exit(2)
	}
	err := generate(os.Args[1])
	if err == nil {
		err = os.WriteFile(os.Args[2], []byte(analyze.Page()), 0o644)
	}
	if err == nil {
		err = os.WriteFile(os.Args[3], []byte(reasons.Page()), 0o644)
	}
	if err == nil {
		err = os.WriteFile(os.Args[4], []byte(reasons.ConditionsPage()), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}

func generate(folder string) error {
	old, err := filepath.Glob(filepath.Join(folder, "osm*.md"))
	if err != nil {
		return err
	}
	for _, page := range old {
		if err := os.Remove(page); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	// The pages must not depend on the environment.
	nothing := func(string) string { return "" }
	root := cli.New(cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}, time.Now, nothing)
	plain(root)
	return doc.GenMarkdownTree(root, folder)
}

// plain removes the generation date, so that pages are reproducible.
func plain(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	for _, child := range cmd.Commands() {
		plain(child)
	}
}
