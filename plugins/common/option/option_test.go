package option_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

func TestTooSmallNamesOptionProblemAndRemedy(t *testing.T) {
	err := error(option.TooSmall("tick_interval", time.Millisecond, 10*time.Millisecond))
	require.EqualError(t, err, `option "tick_interval": "1ms" is too short; use at least "10ms"`)
	var problem *option.Error
	require.ErrorAs(t, err, &problem)
	require.Equal(t, "tick_interval", problem.Name)
}
