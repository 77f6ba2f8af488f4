package process

import "testing"

// SkipIfShort skips a test under -short if it needs a program that is not built from this module. So go test -short runs
// in a fresh clone with Go and libzmq alone.
func SkipIfShort(t testing.TB, program string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("skipped under -short: this test needs %s", program)
	}
}
