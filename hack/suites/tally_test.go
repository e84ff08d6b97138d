package main

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// events are lines as `go test -json` prints them.
const events = `
{"Action":"run","Package":"m/a","Test":"TestOK"}
{"Action":"output","Package":"m/a","Test":"TestOK","Output":"noise\n"}
{"Action":"pass","Package":"m/a","Test":"TestOK"}
{"Action":"run","Package":"m/a","Test":"TestTable"}
{"Action":"pass","Package":"m/a","Test":"TestTable/one"}
{"Action":"output","Package":"m/a","Test":"TestTable/two","Output":"two is wrong\n"}
{"Action":"fail","Package":"m/a","Test":"TestTable/two"}
{"Action":"output","Package":"m/a","Test":"TestTable","Output":"table\n"}
{"Action":"fail","Package":"m/a","Test":"TestTable"}
{"Action":"output","Package":"m/a","Test":"TestParent","Output":"cleanup failed\n"}
{"Action":"pass","Package":"m/a","Test":"TestParent/child"}
{"Action":"fail","Package":"m/a","Test":"TestParent"}
{"Action":"output","Package":"m/a","Test":"TestLater","Output":"no Envoy here\n"}
{"Action":"skip","Package":"m/a","Test":"TestLater"}
{"Action":"fail","Package":"m/a","Elapsed":1.5}
{"ImportPath":"m/b [m/b.test]","Action":"build-output","Output":"b.go:1: undefined: x\n"}
{"ImportPath":"m/b [m/b.test]","Action":"build-fail"}
{"Action":"fail","Package":"m/b","FailedBuild":"m/b [m/b.test]"}
{"Action":"output","Package":"m/c","Test":"TestPanics","Output":"panic: oh\n"}
{"Action":"fail","Package":"m/c"}
{"Action":"skip","Package":"m/none"}
`

func TestTally(t *testing.T) {
	tl := newTally()
	var progress strings.Builder
	if err := readEvents(strings.NewReader(strings.TrimSpace(events)), tl, &progress); err != nil {
		t.Fatal(err)
	}
	// TestTable counts by its subtests. TestParent counts itself, because its only subtest passed. m/b and m/c count as
	// one failure each.
	if got, want := tl.counts(), (counts{passed: 3, failed: 4, skipped: 1}); got != want {
		t.Errorf("counts are %+v, want %+v", got, want)
	}
	if diff := cmp.Diff([]string{"m/a.TestLater"}, tl.skipped()); diff != "" {
		t.Errorf("skipped tests (-want +got):\n%s", diff)
	}
	want := []failedTest{
		{"m/a.TestParent", "cleanup failed\n"},
		{"m/a.TestTable", "table\n"},
		{"m/a.TestTable/two", "two is wrong\n"},
		{"m/b", "b.go:1: undefined: x\n"},
		{"m/c.TestPanics", "panic: oh\n"},
	}
	if diff := cmp.Diff(want, tl.failed(), cmp.AllowUnexported(failedTest{})); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	for _, line := range []string{"fail  m/a  1.5s", "fail  m/b", "fail  m/c"} {
		if !strings.Contains(progress.String(), line) {
			t.Errorf("the progress does not contain %q:\n%s", line, progress.String())
		}
	}
}

func TestReadEventsPrintsOtherLines(t *testing.T) {
	var progress strings.Builder
	if err := readEvents(strings.NewReader("go: downloading x\n"), newTally(), &progress); err != nil {
		t.Fatal(err)
	}
	if got := progress.String(); got != "  go: downloading x\n" {
		t.Errorf("progress is %q", got)
	}
}

func TestNamePrefixIsNotParent(t *testing.T) {
	tl := newTally()
	input := `{"Action":"pass","Package":"m/a","Test":"TestRead"}
{"Action":"pass","Package":"m/a","Test":"TestReadAll"}
{"Action":"pass","Package":"m/a","Test":"TestReadAll/x"}`
	if err := readEvents(strings.NewReader(input), tl, io.Discard); err != nil {
		t.Fatal(err)
	}
	if got := tl.counts(); got != (counts{passed: 2}) {
		t.Errorf("counts are %+v, want TestRead and TestReadAll/x", got)
	}
}
