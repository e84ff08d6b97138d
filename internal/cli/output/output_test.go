package output_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/openservicemesh/osm-operator/internal/cli/output"
)

func TestForms(t *testing.T) {
	result := output.Result{
		Data:  map[string]any{"items": []string{"a", "b<"}},
		Names: []string{"mesh/a", "mesh/b"},
		Table: output.Table{Columns: append(output.Columns("NAME", "COUNT"), output.Column{Name: "WHY", Wide: true}), Rows: [][]string{{"a", "1", "x"}, {"longer", "22", "y"}}},
	}
	tests := map[string]struct {
		args []string
		want string
	}{
		"table":           {nil, "NAME     COUNT\na        1\nlonger   22\n"},
		"wide":            {[]string{"-o", "wide"}, "NAME     COUNT   WHY\na        1       x\nlonger   22      y\n"},
		"without headers": {[]string{"--no-headers"}, "a        1\nlonger   22\n"},
		"names":           {[]string{"-o", "name"}, "mesh/a\nmesh/b\n"},
		"json":            {[]string{"-o", "json"}, "{\n    \"items\": [\n        \"a\",\n        \"b<\"\n    ]\n}\n"},
		"yaml":            {[]string{"-o", "yaml"}, "items:\n- a\n- b<\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var flag output.Flag
			set := pflag.NewFlagSet("test", pflag.ContinueOnError)
			flag.AddTo(set)
			if err := set.Parse(test.args); err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := flag.Print(&text, result); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, text.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownForm(t *testing.T) {
	var flag output.Flag
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flag.AddTo(set)
	if err := set.Parse([]string{"-o", "xml"}); err != nil {
		t.Fatal(err)
	}
	if err := output.Check(set); err == nil || !strings.Contains(err.Error(), "json, yaml, name, wide") {
		t.Errorf("-o xml is answered with %v: it should list what there is", err)
	}
}
