"""What every click model offers. (Placeholder: the labeling owner completes it.)"""
