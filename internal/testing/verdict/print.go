package verdict

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// String describes the source, destination and content of the request.
func (r Request) String() string {
	from := fmt.Sprintf("%s (%s) to %s", pods[r.Pod].name, pods[r.Pod].account, r.To)
	if r.From.IsValid() {
		from = fmt.Sprintf("%s to %s", r.From, r.To)
	}
	if r.protocol() != catalog.ProtocolHTTP {
		return from + " by " + string(r.protocol())
	}
	var headers []string
	for _, h := range r.Headers {
		headers = append(headers, fmt.Sprintf("%s: %q", h.Name, h.Value))
	}
	return fmt.Sprintf("%s: %s %s with %s", from, r.Method, r.Path, strings.Join(headers, ", "))
}

// String returns the mesh as YAML.
func (w State) String() string {
	var text strings.Builder
	for _, ref := range slices.SortedFunc(maps.Keys(w), compareRefs) {
		text.WriteString(document(ref, w[ref]))
	}
	return text.String()
}

// nulls removes empty fields.
var nulls = strings.NewReplacer(`"Matches":null,`, "", `,"Matches":null`, "", `,"Methods":null`, "", `,"Headers":null`, "", `"TargetName":"",`, "")

func document(ref catalog.Ref, entry catalog.Entry) string {
	if entry == nil {
		return fmt.Sprintf("# %s %s is removed\n", ref.Kind, ref.Name)
	}
	out, err := json.Marshal(entry)
	if err != nil {
		return fmt.Sprintf("# %s %s cannot be printed: %v\n", ref.Kind, ref.Name, err)
	}
	// JSON is YAML, and one line for each object is easy to read.
	return fmt.Sprintf("- %s: %s\n", ref.Kind, nulls.Replace(string(out)))
}
