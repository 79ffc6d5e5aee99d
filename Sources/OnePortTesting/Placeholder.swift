// OnePortTesting
