package notes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommitsAreGroupedByArea(t *testing.T) {
	log := "0000006 xds: close idle streams\n" +
		"0000005 e2e: wait for pods\n" +
		"0000004 Merge: two: colons\n" +
		"0000003 cli: format a table\n" +
		"0000002 xds: open streams\n" +
		"0000001 Begin v0.2.0\n"
	const want = `# v0.2.0

6 commits since v0.1.0.

## cli

- format a table (0000003)

## xds

- open streams (0000002)
- close idle streams (0000006)

## other

- Begin v0.2.0 (0000001)
- Merge: two: colons (0000004)

## tests and tools

- e2e: wait for pods (0000005)
`
	if diff := cmp.Diff(want, Markdown("v0.2.0", "v0.1.0", Parse(log))); diff != "" {
		t.Errorf("notes differ (-want +got):\n%s", diff)
	}
}
