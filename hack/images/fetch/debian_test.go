package fetch

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseURI(t *testing.T) {
	line := "'http://deb.debian.org/debian/pool/main/libc/libcap2/libcap2_2.66-4%2bb1_amd64.deb' libcap2_1%3a2.66-4+b1_amd64.deb 27708 SHA256:8d68\n"
	got, err := parseURI(line)
	if err != nil {
		t.Fatal(err)
	}
	want := Package{Name: "libcap2", Version: "1:2.66-4+b1", File: "libcap2_1%3a2.66-4+b1_amd64.deb", SHA256: "8d68"}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Package{})); diff != "" {
		t.Errorf("package differs (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "'u' libcap2_1_amd64.deb 5", "'u' libcap2_1_amd64.deb 5 MD5Sum:1", "'u' libcap2.deb 5 SHA256:1"} {
		if _, err := parseURI(bad); err == nil {
			t.Errorf("parseURI(%q) returned no error", bad)
		}
	}
}

func TestMatches(t *testing.T) {
	patterns := []string{"usr/lib/x86_64-linux-gnu/*.so*", "usr/share/doc/*/copyright"}
	cases := map[string]bool{
		"usr/lib/x86_64-linux-gnu/libz.so.1.2":     true,
		"usr/lib/x86_64-linux-gnu/gconv/EUC.so":    false,
		"usr/share/doc/libc6/copyright":            true,
		"usr/share/doc/libc6/changelog.Debian.gz":  false,
		"opt/usr/lib/x86_64-linux-gnu/libz.so.1.2": false,
	}
	for name, want := range cases {
		if got := matches(patterns, name); got != want {
			t.Errorf("%s matches: %v, want %v", name, got, want)
		}
	}
}

func TestExcludedFoldersAreLeftOut(t *testing.T) {
	patterns := []string{"usr/share/man/*", "usr/lib/jvm/*/jmods/*"}
	for name, want := range map[string]bool{
		"usr/share/man/man1/ls.1.gz":     false,
		"usr/share/man":                  true,
		"usr/lib/jvm/17/jmods/java.base": false,
		"usr/lib/jvm/17/lib/modules":     true,
		"usr/share/manual":               true,
		"bin/sh":                         true,
	} {
		if got := notBelow(patterns, name); got != want {
			t.Errorf("%s is taken: %v, want %v", name, got, want)
		}
	}
}
