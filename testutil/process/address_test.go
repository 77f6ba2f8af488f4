package process

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFreeAddressesGivesEachOnce takes so many addresses on which nobody listens that some would be the same by chance.
func TestFreeAddressesGivesEachOnce(t *testing.T) {
	seen := make(map[string]bool)
	for range 500 {
		addresses, err := FreeAddresses(1)
		require.NoError(t, err)
		require.False(t, seen[addresses[0]], "%s was given before", addresses[0])
		seen[addresses[0]] = true
	}
}
